"""The Hub's answers, from a server on this machine: the client that runs is the real one."""

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sleep_tune.data.hub import TOKEN_NAMES, hub_errors, hub_token
from sleep_tune.errors import DataError
from tests.data.kinds import word_level

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SCRIPT = """
import sys
from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.prepare import prepare
from sleep_tune.errors import UserError
try:
    corpus = prepare(DataConfig(kind="babylm", dataset=sys.argv[1], max_length=16, cache_dir=sys.argv[2]),
                     TokenizerConfig(vocab_size=300))
except UserError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(corpus.train.num_words, *corpus.train.source_names)
print(*corpus.description, file=sys.stderr)
"""
TOKENIZER_SCRIPT = """
import sys
from sleep_tune.config.schema import DataConfig, TokenizerConfig
from sleep_tune.data.prepare import prepare
corpus = prepare(DataConfig(sentences=100, max_length=16, cache_dir=sys.argv[2]),
                 TokenizerConfig(kind="hub", name=sys.argv[1]))
print(corpus.key, corpus.train.vocab_size)
"""
TEXT = "".join(f"The dog sees {number} cats.\n\n" for number in range(100))


class FakeHub(BaseHTTPRequestHandler):
    """Serves one public dataset or model and a gated one, and counts what it was asked."""

    token = "secret"
    files: dict[str, bytes]
    requests: list[str]

    def do_HEAD(self) -> None:
        """What a file is, without its content."""
        self.respond()

    def do_GET(self) -> None:
        """A file, or what a dataset holds."""
        self.respond()

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""

    def respond(self) -> None:
        """Answer as the Hub would."""
        self.requests.append(self.path)
        gated = "/lab/gated" in self.path and self.headers.get("Authorization") != f"Bearer {self.token}"
        if gated:
            self.send(401, b"{}", {"X-Error-Code": "GatedRepo"})
        elif "/lab/gated" not in self.path and "/lab/open" not in self.path:
            self.send(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        elif "/resolve/" in self.path:
            content = self.files[self.path.rpartition("/")[2]]
            etag = hashlib.sha256(content).hexdigest()
            self.send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT})
        elif "/tree/" in self.path:
            files = [
                {"type": "file", "path": name, "size": len(content), "oid": COMMIT}
                for name, content in self.files.items()
            ]
            self.send(200, json.dumps(files).encode(), {})
        else:
            info = {"id": "lab/open", "sha": COMMIT, "siblings": [{"rfilename": name} for name in self.files]}
            self.send(200, json.dumps(info).encode(), {})

    def send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        """One response; a HEAD has no body."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@contextmanager
def fake_hub(files: dict[str, bytes] | None = None) -> Iterator[tuple[str, list[str]]]:
    requests: list[str] = []
    served = files or {"childes.train.txt": TEXT.encode(), "README.md": b"About."}
    handler = type("Handler", (FakeHub,), {"requests": requests, "files": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", requests
    finally:
        server.shutdown()
        server.server_close()


def ask(
    endpoint: str, name: str, folder: Path, script: str = SCRIPT, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Prepare what `name` is in a process of its own: the client reads its environment when it is imported."""
    unwanted = re.compile("HF_|TRANSFORMERS_OFFLINE|.*proxy", re.IGNORECASE)
    clean = {name: value for name, value in os.environ.items() if not unwanted.match(name)}
    return subprocess.run(
        [sys.executable, "-c", script, name, str(folder / "cache")],
        check=False,
        capture_output=True,
        text=True,
        env=clean | {"HF_ENDPOINT": endpoint, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1"} | environment,
    )


def assert_names(error: str, *parts: object) -> None:
    assert "Traceback" not in error
    assert not [part for part in map(str, parts) if part not in error], error


def test_the_first_token_that_is_set_is_used() -> None:
    assert TOKEN_NAMES == ("HF_TOKEN", "HF_READ_TOKEN", "HF_WRITE_TOKEN")
    assert hub_token({}) is None
    assert hub_token({"HF_TOKEN": "", "HF_WRITE_TOKEN": "w"}) == "w"
    assert hub_token({"HF_READ_TOKEN": "r", "HF_WRITE_TOKEN": "w"}) == "r"


@pytest.mark.slow
def test_a_public_dataset_is_downloaded_once_and_without_a_token(tmp_path: Path) -> None:
    with fake_hub() as (endpoint, requests):
        done = ask(endpoint, "lab/open", tmp_path)
        assert done.stdout == "450 childes\n", done.stderr
        assert requests
        requests.clear()
        again = ask(endpoint, "lab/open", tmp_path)
        assert again.stdout == done.stdout
        assert requests == []
        assert "not downloaded from the Hub (README.md)" in again.stderr
        [file] = (tmp_path / "hf").rglob("childes.train.txt")
        for change, what in ((lambda: file.resolve().write_text("x"), "changed"), (file.unlink, "missing")):
            change()
            damaged = ask(endpoint, "lab/open", tmp_path)
            assert_names(damaged.stderr, "DataError: data.dataset", "'lab/open'", file, what)


@pytest.mark.slow
def test_a_file_without_a_split_beside_training_text_is_not_read(tmp_path: Path) -> None:
    files = {"childes.train.txt": TEXT.encode(), "subtitles_ckpt_70.txt": b"Left over.\n"}
    with fake_hub(files) as (endpoint, _):
        done = ask(endpoint, "lab/open", tmp_path)
    assert done.stdout == "450 childes\n", done.stderr
    assert_names(done.stderr, "not read", "subtitles_ckpt_70.txt")


@pytest.mark.slow
def test_a_gated_dataset_asks_for_a_token_and_takes_any_of_the_three(tmp_path: Path) -> None:
    with fake_hub() as (endpoint, _):
        refused = ask(endpoint, "lab/gated", tmp_path)
        assert_names(refused.stderr, "DataError: data.dataset", "'lab/gated'", "terms", "no token is set", *TOKEN_NAMES)
        wrong = ask(endpoint, "lab/gated", tmp_path, HF_READ_TOKEN="wrong")
        assert "the token in HF_READ_TOKEN was used" in wrong.stderr
        assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".lock"]
        assert ask(endpoint, "lab/gated", tmp_path, HF_WRITE_TOKEN="secret").stdout == "450 childes\n"


@pytest.mark.slow
def test_a_dataset_that_is_not_there_and_a_hub_that_is_not(tmp_path: Path) -> None:
    with fake_hub() as (endpoint, _):
        missing = ask(endpoint, "lab/none", tmp_path)
    assert_names(missing.stderr, "DataError: data.dataset", "'lab/none'", "private", *TOKEN_NAMES)
    gone = ask("http://127.0.0.1:9", "lab/open", tmp_path)
    assert_names(gone.stderr, "DataError: data.dataset", "'lab/open'")


@pytest.mark.slow
def test_a_tokenizer_is_downloaded_once_without_weights_and_known_by_its_content(tmp_path: Path) -> None:
    """Two commits of one branch once had one key, so two machines could train on other tokens under one name."""
    keys = set()
    for commit, known in enumerate(["the cat", "the dog sees a cat"]):
        source = word_level(tmp_path / f"source{commit}", known=known)
        files = {path.name: path.read_bytes() for path in source.iterdir()} | {"model.safetensors": b"weights"}
        top = tmp_path / f"machine{commit}"
        with fake_hub(files) as (endpoint, requests):
            done = ask(endpoint, "lab/open", top, TOKENIZER_SCRIPT)
            assert done.returncode == 0, done.stderr
            assert requests
            assert not any("safetensors" in request for request in requests)
        again = ask("http://127.0.0.1:9", "lab/open", top, TOKENIZER_SCRIPT)
        assert again.stdout == done.stdout
        keys.add(done.stdout.split()[0])
        [entry] = (top / "cache").glob("tokenizer-*/source.json")
        assert json.loads(entry.read_text()) == {"name": "lab/open", "commit": COMMIT}
    assert len(keys) == 2


def test_an_upload_to_a_hub_that_is_not_reached_is_not_called_a_download() -> None:
    with pytest.raises(DataError) as caught, hub_errors("model 'lab/mine'", "--push-to-hub"):
        raise ConnectionError("connection refused")
    message = str(caught.value)
    assert_names(message, "--push-to-hub", "'lab/mine'", "connection refused")
    assert "download" not in message
