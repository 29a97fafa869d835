"""Checks before a cluster is joined, against a server that answers as Ray's does, and in folders of one machine."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from sleep_tune.errors import ClusterError
from sleep_tune.search.run.on_ray.cluster_checks import check_node, token_variables

TOKEN = "3f" * 32


class Cluster(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Answers every question, but only with the token, if it has one."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """Return what answers a question."""
        sent = dict(details.invocation_metadata).get("authorization")

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            if self.token is not None and sent != f"Bearer {self.token}":
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "InvalidAuthToken")
            return b""

        return grpc.unary_unary_rpc_method_handler(answer)


@contextmanager
def cluster(token: str | None) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(1), [Cluster(token)])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


@pytest.fixture(autouse=True)
def shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """A shell without a token, behind a proxy that no request reaches."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    return monkeypatch


def never(sentence: str) -> None:
    raise AssertionError(sentence)


def private(path: Path, content: str | bytes) -> None:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)


def refused(address: str) -> str:
    with pytest.raises(ClusterError) as caught:
        token_variables(address, never)
    assert TOKEN not in str(caught.value)
    return str(caught.value)


def test_a_cluster_that_asks_for_no_token_is_joined_with_a_warning(shell: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    with cluster(None) as address:
        assert token_variables(address, warnings.append) == {}
        assert address in warnings[0]
        assert "RAY_AUTH_MODE=token" in warnings[0]
        shell.setenv("RAY_AUTH_MODE", "disabled")
        assert token_variables(address, warnings.append) == {}
        assert len(warnings) == 2


def test_a_shell_that_requires_a_token_does_not_join_a_cluster_without_one(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("RAY_AUTH_MODE", "token")
    shell.setenv("RAY_AUTH_TOKEN", TOKEN)
    with cluster(None) as address:
        message = refused(address)
        assert "RAY_AUTH_MODE=token" in message and address in message


@pytest.mark.parametrize("mode", [None, "token", "Token"])
def test_the_token_is_found_where_ray_finds_it(shell: pytest.MonkeyPatch, tmp_path: Path, mode: str | None) -> None:
    """Ray itself uses a token for `--address auto` alone, unless RAY_AUTH_MODE says so."""
    if mode is not None:
        shell.setenv("RAY_AUTH_MODE", mode)
    with cluster(TOKEN) as address:
        assert f"{tmp_path}/.ray/auth_token has none" in refused(address)
        (tmp_path / ".ray").mkdir()
        private(tmp_path / ".ray" / "auth_token", TOKEN)
        assert token_variables(address, never) == {"RAY_AUTH_MODE": "token"}

        other = tmp_path / "token"
        shell.setenv("RAY_AUTH_TOKEN_PATH", str(other))
        assert f"RAY_AUTH_TOKEN_PATH={other} has none" in refused(address)
        private(other, f"{TOKEN}\n")
        assert token_variables(address, never) == {"RAY_AUTH_MODE": "token"}

        shell.setenv("RAY_AUTH_TOKEN", "another")
        assert "does not accept the token in RAY_AUTH_TOKEN" in refused(address)
        shell.setenv("RAY_AUTH_TOKEN", f" {TOKEN}\n")
        assert token_variables(address, never) == {"RAY_AUTH_MODE": "token"}
        shell.setenv("RAY_AUTH_TOKEN", "")
        assert token_variables(address, never) == {"RAY_AUTH_MODE": "token"}


WRONG = [b"", b"\n", b"two\nlines", "caf\u00e9".encode(), b"\xff\xfe\x00", TOKEN[:-1].encode(), b"7" * 1_000_000]


@pytest.mark.parametrize("content", WRONG)
def test_what_is_not_the_token_is_refused(
    shell: pytest.MonkeyPatch, tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """In our sentence alone: gRPC itself prints lines of its own about what no header can hold."""
    private(tmp_path / "token", content)
    shell.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    with cluster(TOKEN) as address:
        message = refused(address)
        printed = capfd.readouterr().err  # before the server ends, of which gRPC may tell, too
    assert f"RAY_AUTH_TOKEN_PATH={tmp_path / 'token'}" in message
    assert "RAY_AUTH_TOKEN," in message
    assert printed == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_can_read_gives_a_warning(shell: pytest.MonkeyPatch, tmp_path: Path, mode: int) -> None:
    """So `ray get-auth-token --generate` leaves it."""
    path, warnings = tmp_path / "token", list[str]()
    path.write_text(TOKEN)
    path.chmod(mode)
    shell.setenv("RAY_AUTH_TOKEN_PATH", str(path))
    with cluster(TOKEN) as address:
        assert token_variables(address, warnings.append) == {"RAY_AUTH_MODE": "token"}
    assert [f"chmod 600 {path}" in warning for warning in warnings] == [True]


def test_a_file_that_cannot_be_read_is_named(shell: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    shell.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path))
    with cluster(TOKEN) as address:
        assert f"{tmp_path}: Is a directory" in refused(address)


def test_a_mode_that_sends_no_token_is_named(shell: pytest.MonkeyPatch) -> None:
    shell.setenv("RAY_AUTH_MODE", "disabled")
    shell.setenv("RAY_AUTH_TOKEN", TOKEN)
    with cluster(TOKEN) as address:
        assert "RAY_AUTH_MODE=disabled" in refused(address)


def test_what_speaks_another_language_is_left_to_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    assert token_variables(address, never) == {}


def test_a_machine_that_shares_the_folder_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "marker").touch()
    assert check_node(str(tmp_path), "marker", [str(tmp_path)]) is None
    assert [path.name for path in tmp_path.iterdir()] == ["marker"]


def test_a_machine_says_what_it_cannot_do(tmp_path: Path) -> None:
    other = check_node(str(tmp_path), "marker", [])
    assert other is not None and str(tmp_path) in other
    missing = str(tmp_path / "corpus")
    (tmp_path / "marker").touch()
    unread = check_node(str(tmp_path), "marker", [missing])
    assert unread is not None and missing in unread
    told = check_node("/proc", "version", [])  # a folder in which nobody may write
    assert told is not None and "cannot write to /proc" in told
