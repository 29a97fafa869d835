"""Checks before a search joins a Ray cluster: its token, and the folders that all its nodes must share.

Without them, Ray with a wrong token tries for twenty seconds and says only that it cannot connect, and a worker that
cannot write where the search reads fails hours later. Ray reads RAY_AUTH_MODE on import, so this module imports no Ray.
"""

import contextlib
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.errors import ClusterError

if TYPE_CHECKING:
    import grpc

__all__ = ["check_node", "check_nodes", "token_variables"]

ANSWER_SECONDS = 10.0
"""How long the cluster may take to answer a question."""

PLACES = (
    "the environment variable RAY_AUTH_TOKEN, the file named by RAY_AUTH_TOKEN_PATH, or ~/.ray/auth_token; it must be "
    "the token with which the cluster's nodes were started"
)
"""Where Ray looks for a token, for messages."""


def token_variables(address: str, warn: Callable[[str], None]) -> dict[str, str]:
    """Return the variables with which Ray sends this shell's token, if the cluster requires one and accepts it.

    The result is empty for a cluster that requires no token.

    Args:
        address: host:port, where something answers.
        warn: called with a sentence if other users could use the cluster too: it requires no token, or other users can
            read the file with the token.

    Raises:
        ClusterError: the cluster requires a token, and this shell has none, a wrong one, or forbids Ray to send it; or
            this shell requires a token, and the cluster does not.
    """
    import grpc

    mode = os.environ.get("RAY_AUTH_MODE", "")
    required = mode.lower() == "token"
    answer = _answer(address, None)
    if answer is grpc.StatusCode.OK:
        if required:
            raise ClusterError(
                f"RAY_AUTH_MODE={mode} is set here, but the Ray cluster at {address} requires no token. Start its "
                "nodes with RAY_AUTH_MODE=token too, or unset it here to join a cluster that anybody can use"
            )
        warn(
            f"the Ray cluster at {address} requires no token: anybody who can reach that address can run code there "
            "as the user who started it. Start its nodes with RAY_AUTH_MODE=token (docs/cluster.md)"
        )
    if answer is not grpc.StatusCode.UNAUTHENTICATED:
        return {}
    if mode and not required:
        raise ClusterError(
            f"the Ray cluster at {address} requires a token, but with RAY_AUTH_MODE={mode} Ray sends none. Unset "
            "RAY_AUTH_MODE, or set it to token"
        )
    place, token = _token(warn)
    if not token:
        raise ClusterError(f"the Ray cluster at {address} requires a token, and {place} has none. Put it into {PLACES}")
    is_header = token.isascii() and token.isprintable()
    if not is_header or _answer(address, token) is not grpc.StatusCode.OK:
        raise ClusterError(
            f"the Ray cluster at {address} does not accept the token in {place}. Ray reads it from {PLACES}"
        )
    return {"RAY_AUTH_MODE": "token"}


def _token(warn: Callable[[str], None]) -> tuple[str, str]:
    """Return where Ray would find a token, and the token; empty if there is none.

    Raises:
        ClusterError: the file with the token cannot be read.
    """
    if token := os.environ.get("RAY_AUTH_TOKEN"):
        return "RAY_AUTH_TOKEN", token.strip()
    given = os.environ.get("RAY_AUTH_TOKEN_PATH")
    path = Path(given) if given else Path.home() / ".ray" / "auth_token"
    place = f"RAY_AUTH_TOKEN_PATH={path}" if given else str(path)
    try:
        if path.stat().st_mode & 0o044:  # as `ray get-auth-token --generate` creates it
            warn(f"other users can read {path} and use the Ray cluster with it. Run: chmod 600 {path}")
        return place, path.read_bytes().decode(errors="replace").strip()
    except FileNotFoundError:
        return place, ""
    except OSError as error:
        raise ClusterError(f"the token of the Ray cluster cannot be read from {place}: {error.strerror}") from error


def _answer(address: str, token: str | None) -> "grpc.StatusCode":
    """Ask the cluster for the state of an empty list of nodes, and return the status of the answer."""
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


CHECK_SECONDS = 120.0
"""How long a node may take to answer."""


def check_node(folder: str, marker: str, reads: Sequence[str]) -> str | None:
    """Return the fault of the folders on the machine where this runs; None if there is none.

    Args:
        folder: absolute path where trials write; the search has created a file named `marker` in it.
        marker: a unique file name; another file beside it is written and removed.
        reads: absolute paths that trials read.
    """
    for path in reads:
        if not os.access(path, os.R_OK):
            return f"{path}, which trials must read, does not exist there or is not readable"
    if not (Path(folder) / marker).exists():
        return f"{folder} is not the same folder there as here, so the search would not see what trials write"
    written = Path(folder) / f"{marker}-{uuid.uuid4().hex}"
    try:
        written.write_text(marker, encoding="utf-8")
        written.unlink()
    except OSError as error:
        return f"trials cannot write to {folder}: {error}"
    return None


def check_nodes(folder: Path, reads: Sequence[Path]) -> None:
    """Check by a small task on every node of the cluster that it shares `folder` and can read `reads`.

    Ray must be running.

    Args:
        folder: results/<name>, absolute; it exists here.
        reads: absolute paths that trials read.

    Raises:
        ClusterError: a node cannot write or read, or does not answer; the message names each such node.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    ask = ray.remote(num_cpus=0, max_retries=1)(check_node)
    nodes = [node for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
    marker = f".seen-by-every-node-{uuid.uuid4().hex}"
    (folder / marker).touch()
    try:
        answers = [
            ask.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
                str(folder), marker, [str(path) for path in reads]
            )
            for node in nodes
        ]
        faults = []
        for node, answer in zip(nodes, answers, strict=True):
            name = f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"
            try:
                fault = ray.get(answer, timeout=CHECK_SECONDS)
            except ray.exceptions.GetTimeoutError:
                fault = f"no answer within {CHECK_SECONDS:.0f} s"
            except ray.exceptions.RayError as error:
                fault = str(error).strip().splitlines()[-1]
            if fault is not None:
                faults.append(f"{name}: {fault}")
    finally:
        with contextlib.suppress(OSError):
            (folder / marker).unlink()
    if faults:
        raise ClusterError(f"every node of the cluster must share the search's folders. {'; '.join(faults)}")
