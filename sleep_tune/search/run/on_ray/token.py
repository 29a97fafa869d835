"""The token of a joined Ray cluster: whether the cluster asks for one, and whether it accepts this shell's.

Imports no Ray, which reads RAY_AUTH_MODE on import.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.errors import ClusterError

if TYPE_CHECKING:
    import grpc

__all__ = ["token_settings"]

ANSWER_SECONDS = 10.0

PLACES = (
    "the environment variable RAY_AUTH_TOKEN, a file that RAY_AUTH_TOKEN_PATH names, or ~/.ray/auth_token; it must be "
    "the token that the cluster's nodes were started with"
)


def token_settings(address: str, warn: Callable[[str], None]) -> dict[str, str]:
    """Return the variables with which Ray sends this shell's token to a cluster that asks for one and accepts it.

    Empty for a cluster that asks for none. Ray itself, with a wrong token or none, tries for twenty seconds and then
    says only that it cannot connect.

    Args:
        address: host:port, where something answers.
        warn: is called with a sentence if other users can do what this one can: the cluster asks for no token, or the
            file with the token lets everybody read it.

    Raises:
        ClusterError: the cluster asks for a token, and this shell has none, a wrong one, or forbids Ray to send it; or
            this shell requires a token, and the cluster asks for none.
    """
    import grpc

    mode = os.environ.get("RAY_AUTH_MODE", "")
    required = mode.lower() == "token"
    answer = _answer(address, None)
    if answer is grpc.StatusCode.OK:
        if required:
            raise ClusterError(
                f"RAY_AUTH_MODE={mode} is set, but the Ray cluster at {address} asks for no token. Start its nodes "
                "with RAY_AUTH_MODE=token too, or unset it here to join a cluster that anybody can use"
            )
        warn(
            f"the Ray cluster at {address} asks for no token: whoever can reach that address can run code there as the "
            "user who started it. Start its nodes with RAY_AUTH_MODE=token (cluster/README.md)"
        )
    if answer is not grpc.StatusCode.UNAUTHENTICATED:
        return {}
    if mode and not required:
        raise ClusterError(
            f"the Ray cluster at {address} asks for a token, and with RAY_AUTH_MODE={mode} Ray sends none. Unset it, "
            "or set it to token"
        )
    place, token = _token(warn)
    if not token:
        raise ClusterError(f"the Ray cluster at {address} asks for a token; {place} has none. Put it into {PLACES}")
    is_header = token.isascii() and token.isprintable()
    if not is_header or _answer(address, token) is not grpc.StatusCode.OK:
        raise ClusterError(
            f"the Ray cluster at {address} does not accept the token in {place}. Ray takes it from {PLACES}"
        )
    return {"RAY_AUTH_MODE": "token"}


def _token(warn: Callable[[str], None]) -> tuple[str, str]:
    """The place of the token that Ray would send, and the token; empty if there is none.

    Raises:
        ClusterError: it is in a file that cannot be read.
    """
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN", token.strip()
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else Path.home() / ".ray" / "auth_token"
    place = f"RAY_AUTH_TOKEN_PATH={path}" if given else str(path)
    try:
        if path.stat().st_mode & 0o044:  # as `ray get-auth-token --generate` leaves it
            warn(f"{path} can be read by other users, who can use the Ray cluster with it: chmod 600 {path}")
        return place, path.read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        return place, ""
    except OSError as error:
        raise ClusterError(f"the token of the Ray cluster cannot be read from {place}: {error.strerror}") from error


def _answer(address: str, token: str | None) -> "grpc.StatusCode":
    """Ask the cluster whether none of no nodes are alive, and return how the answer begins."""
    import grpc

    metadata = () if token is None else (("authorization", f"Bearer {token}"),)
    # Not through the shell's HTTP proxy, which may not reach the cluster and must not see the token.
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        ask = channel.unary_unary("/ray.rpc.NodeInfoGcsService/CheckAlive")
        try:
            ask(b"", timeout=ANSWER_SECONDS, metadata=metadata)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK
