"""Export of the winner: settings that compose, a valid command, a model that is published whole."""

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.commands.export import main
from sleep_tune.config.load import compose
from sleep_tune.config.tree import to_dict
from tests.analysis.commands import call
from tests.results.conftest import SyntheticLog

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A search whose finalist kept its model."""
    log = SyntheticLog(tmp_path / "found")
    log.open(name="found", parameters={"sleep.folds": {}}, base={"data": "toy", "model": "tiny"})
    config = to_dict(compose(["sleep=strict", "sleep.folds=7", "sleep.length.ratio=0.5", "data=toy", "model=tiny"]))
    for seed in (1000, 1001):
        log.run("epochs", seed, 2.0, 0.8)
        log.run("t0004", seed, 1.9, 0.8, role="finalist", parameters={"sleep.folds": 7})
        run = log.folder / "trials" / f"t0004-s{seed}"
        (run / "model").mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump(config))
        (run / "model" / "config.json").write_text("{}")
        (run / "model" / "model.safetensors").write_bytes(b"\0weights")
    return log.folder


def export(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """The script, with these variables in a process of its own: the Hub's client reads them when it is imported."""
    if not environment:
        return call(main, *arguments)
    command = [sys.executable, "analysis/export_best.py", *map(str, arguments)]
    kept = {key: value for key, value in os.environ.items() if key != "HF_TOKEN" and not key.startswith("HF_HUB")}
    given = kept | {"PYTHONPATH": str(ROOT)} | environment
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=False)


def test_the_settings_are_a_choice_of_the_group_and_compose_to_what_was_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    conf = tmp_path / "conf"
    done = export(folder, "--conf", conf)
    assert (done.returncode, done.stderr) == (0, "")
    assert "python train_worker.py sleep=found run.name=found-full data=toy model=tiny" in done.stdout
    monkeypatch.chdir(tmp_path)
    again = compose(["sleep=found", "run.name=found-full", "data=toy", "model=tiny"])
    assert (again.sleep.folds, again.sleep.replay.strategy) == (7, "strict")
    assert (again.sleep.length.passes, again.sleep.length.ratio) == (None, 0.5)


def test_other_settings_of_the_name_are_not_overwritten_unless_forced(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "conf" / "sleep" / "found.yaml"
    path.parent.mkdir(parents=True)
    path.write_text("folds: 1\n")
    done = export(folder, "--conf", tmp_path / "conf")
    assert done.returncode == 2
    for part in (str(path), "--name", "--force"):
        assert part in done.stderr
    assert path.read_text() == "folds: 1\n"
    assert export(folder, "--conf", tmp_path / "conf", "--force").returncode == 0
    assert "folds: 7" in path.read_text()
    assert export(folder, "--conf", tmp_path / "conf").returncode == 0


def test_an_experiment_from_elsewhere_chooses_no_place_and_no_settings(folder: Path, tmp_path: Path) -> None:
    described = yaml.safe_load((folder / "experiment.yaml").read_text())
    described["space"]["name"] = "../../out"
    (folder / "experiment.yaml").write_text(yaml.safe_dump(described))
    done = export(folder, "--conf", tmp_path / "conf")
    assert done.returncode == 2
    assert "--name" in done.stderr
    assert "'../../out'" in done.stderr
    assert not list(tmp_path.glob("**/out.yaml"))


class Hub(BaseHTTPRequestHandler):
    """What of the Hub a commit of small files needs; remembers what it was sent."""

    received: dict[str, bytes]
    tokens: set[str]

    def do_POST(self) -> None:
        """Make a repository, say how files are to be sent, or take a commit."""
        body = self._body()
        self.tokens.add(self.headers.get("authorization", ""))
        here = "http://127.0.0.1"
        if self.path == "/api/repos/create":
            return self._answer({"url": f"{here}/owner/model", "name": "owner/model"})
        if "/preupload/" in self.path:
            files = json.loads(body)["files"]
            modes = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in files]
            return self._answer({"files": modes})
        if self.path.endswith("/validate-yaml"):
            return self._answer({"errors": [], "warnings": []})
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.received[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        return self._answer({"commitUrl": f"{here}/owner/model/commit/1", "commitOid": "1", "success": True})

    def do_GET(self) -> None:
        """Any question about the repository."""
        self._answer({"id": "owner/model", "modelId": "owner/model", "sha": "1", "siblings": []})

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _body(self) -> bytes:
        """Return a body of known length, or in chunks."""
        if "Content-Length" in self.headers:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def hub() -> Iterator[tuple[str, type[Hub]]]:
    handler = type("OneHub", (Hub,), {"received": {}, "tokens": set()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.slow
def test_model_tokenizer_and_card_are_published(folder: Path, tmp_path: Path) -> None:
    with hub() as (address, handler):
        surroundings = {"HF_ENDPOINT": address, "HF_TOKEN": "hf_mine", "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
        done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model", **surroundings)
    assert (done.returncode, done.stderr) == (0, "")
    assert handler.tokens == {"Bearer hf_mine"}
    assert set(handler.received) == {"config.json", "model.safetensors", "README.md"}
    assert handler.received["model.safetensors"] == b"\0weights"
    card = handler.received["README.md"].decode()
    metadata = yaml.safe_load(card.split("---")[1])
    assert metadata["pipeline_tag"] == "fill-mask"
    assert 'from_pretrained("owner/model")' in card
    assert "| t0004 |" in card
    assert "folds: 7" in card
    assert done.stdout.rstrip().endswith("/owner/model/commit/1")


def test_a_model_that_was_not_kept_is_not_published(folder: Path, tmp_path: Path) -> None:
    for run in (folder / "trials").iterdir():
        (run / "model" / "config.json").unlink()
    done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model")
    assert done.returncode == 2
    assert "model" in done.stderr
    assert "weights were not kept" in done.stderr


def test_no_file_from_outside_the_experiment_is_published(folder: Path, tmp_path: Path) -> None:
    """An experiment from elsewhere may have a link to a key of the user's, or to a folder of theirs."""
    (tmp_path / "private").write_text("secret")
    for run in (folder / "trials").iterdir():
        (run / "model" / "vocab.txt").symlink_to(tmp_path / "private")
    done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model")
    assert done.returncode == 2
    for part in ("vocab.txt", folder, tmp_path / "private"):
        assert str(part) in done.stderr


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_one_message(folder: Path, tmp_path: Path) -> None:
    surroundings = {"HF_ENDPOINT": "http://127.0.0.1:9", "HF_TOKEN": "hf_mine", "HF_HUB_OFFLINE": "0"}
    done = export(folder, "--conf", tmp_path / "conf", "--push-to-hub", "owner/model", **surroundings)
    assert done.returncode == 2
    assert "--push-to-hub" in done.stderr
    assert "'owner/model'" in done.stderr
    assert "Traceback" not in done.stderr
