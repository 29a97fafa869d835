"""Trackers: each line once, whatever dies; Weights & Biases whole and without the network; TensorBoard's files."""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.schema import TrackingConfig
from sleep_tune.training.tracking import Tracked, wandb_mode

ROOT = Path(__file__).parents[2]
SMALL = ["data=toy", "data.sentences=600", "model.hidden=32", "model.feed_forward=64", "budget.passes=6"]
SMALL += ["training.batch_size=8", "training.checkpoint_ratio=0.1", "evaluation.samples=8", "evaluation.pairs=12"]
SMALL += ["training.log_ratio=0.05", "training.save_model=false"]


class Notes:
    """A tracker that keeps what it is told."""

    def __init__(self, begins_at: int = 0) -> None:
        self.begins_at = begins_at
        self.told: list[tuple[int, int, Mapping[str, float]]] = []
        self.end: tuple[str, Mapping[str, float]] | None = None

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Keep it."""
        self.told.append((number, words_seen, values))

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """Keep it."""
        self.end = (state, metrics)


LINES: list[dict[str, Any]] = [
    {"kind": "train", "words_seen": 100, "loss": 3.0, "phase": "wake", "updates": 4},
    {"kind": "sleep", "cycle": 0, "buffer_size": 3, "mean_score": 2.5, "sources": {"a": 1.0}},
    {
        "kind": "eval",
        "words_seen": 200,
        "split": "dev",
        "metrics": {"eval/nll": 2.0, "eval/pairs_accuracy": float("nan")},
    },
    {"kind": "train", "words_seen": 300, "loss": 1.0},
]


def test_a_line_becomes_the_numbers_that_it_has() -> None:
    notes = Notes()
    told = Tracked([notes])
    for number, line in enumerate(LINES):
        told(number, line)
    assert notes.told == [
        (0, 100, {"loss": 3.0}),
        (1, 100, {"sleep/buffer_size": 3.0, "sleep/mean_score": 2.5}),
        (2, 200, {"eval/nll": 2.0}),
        (3, 300, {"loss": 1.0}),
    ]
    told.finish()
    assert notes.end == ("failed", {})


@pytest.mark.parametrize("begins_at", range(5))
def test_a_tracker_is_told_what_it_lacks_of_what_was_kept_and_of_what_comes(begins_at: int) -> None:
    """Its journal has kept two lines; the tracker may know fewer, or more than the checkpoint did."""
    notes = Notes(begins_at)
    told = Tracked([notes], LINES[:2])
    for number in (2, 3):
        told(number, LINES[number])
    assert [number for number, _, _ in notes.told] == list(range(begins_at, 4))


def test_without_a_key_it_is_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    auto = TrackingConfig(wandb="auto")
    assert wandb_mode(auto, {}) == "offline"
    assert wandb_mode(auto, {"WANDB_API_KEY": "key"}) == "online"
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password key\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert wandb_mode(auto, {}) == "online"
    assert wandb_mode(TrackingConfig(wandb="offline"), {"WANDB_API_KEY": "key"}) == "offline"


@contextmanager
def nobody_home() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a proxy that nothing should ask, and what it was asked."""
    asked: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def listen() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            asked.append(connection.recv(200))
            connection.close()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        thread.join()


def worker(folder: Path, *overrides: str, proxy: str = "http://127.0.0.1:9") -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    given = kept | {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "", "HOME": str(folder)}
    given |= {"PYTHONPATH": str(ROOT), "SLEEP_TUNE_CACHE": str(folder / "cache")}
    command = [sys.executable, str(ROOT / "train_worker.py"), *SMALL, *overrides]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def records(path: Path) -> Iterator[Any]:
    """The records of a .wandb file: LevelDB's log format, blocks of 32 kB, after a header of seven bytes."""
    from wandb.proto import wandb_internal_pb2

    data, at, whole = path.read_bytes(), 7, b""
    assert data[:4] == b":W&B"
    while at + 7 <= len(data):
        if (left := 32768 - at % 32768) < 7:
            at += left
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a record in one piece, or its last piece
            record = wandb_internal_pb2.Record()  # type: ignore[attr-defined]
            record.ParseFromString(whole)
            yield record
            whole = b""


def steps(path: Path) -> list[int]:
    """Numbers of the lines in a .wandb file."""
    return [record.history.step.num for record in records(path) if record.WhichOneof("record_type") == "history"]


def tracked_lines(run: Path) -> list[int]:
    """Numbers of the journal's lines."""
    return list(range(len((run / "metrics.jsonl").read_text().splitlines())))


@pytest.mark.slow
def test_weights_and_biases_has_every_line_once_though_the_run_was_killed_and_nothing_asks_the_network(
    tmp_path: Path,
) -> None:
    run = tmp_path / "runs" / "tracked"
    with nobody_home() as (proxy, asked):
        overrides = ["run.name=tracked", "tracking=wandb", "tracking.group=study"]
        first = worker(tmp_path, *overrides, proxy=proxy)
        while len(list(run.glob("attempt-1/checkpoint-*/complete.json"))) < 1 or len(tracked_lines(run)) < 8:
            assert first.poll() is None, first.communicate()
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        second = worker(tmp_path, *overrides, proxy=proxy)
        _, stderr = second.communicate(timeout=240)
    assert second.returncode == 0, stderr
    assert asked == []
    files = sorted((run / "wandb").glob("offline-run-*/run-*.wandb"), key=lambda path: path.stat().st_mtime)
    assert len(files) == 1, "what the killed attempt left is told again, whole"
    assert steps(files[0]) == tracked_lines(run)
    (opened,) = (record.run for record in records(files[0]) if record.WhichOneof("record_type") == "run")
    assert (opened.run_group, opened.display_name, opened.project) == ("study", "study/tracked", "sleep-tune")
    kinds = [record.WhichOneof("record_type") for record in records(files[0])]
    assert "exit" in kinds
    told = {
        update.key: update.value_json
        for record in records(files[0])
        if record.WhichOneof("record_type") == "summary"
        for update in record.summary.update
    }
    assert told["state"] == '"completed"'
    assert "test/nll" in told


@pytest.mark.slow
def test_tensorboard_has_every_loss_once(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    done = worker(tmp_path, "run.name=tracked", "tracking=tensorboard")
    _, stderr = done.communicate(timeout=240)
    assert done.returncode == 0, stderr
    run = tmp_path / "runs" / "tracked"
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    losses = [(line["words_seen"], line["loss"]) for line in lines if line["kind"] == "train"]
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(words, pytest.approx(loss)) for words, loss in losses]
    assert not (run / "wandb").exists()
