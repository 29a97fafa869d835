"""Trackers log each line once after any crash, Weights & Biases also without a network; TensorBoard's files."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from sleep_tune.config.schema import TrackingConfig
from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import ConfigError
from sleep_tune.records import Decision, Progress
from sleep_tune.training.run import train
from sleep_tune.training.tracking import TrackerGroup, require_trackers
from sleep_tune.training.weights_and_biases import wandb_mode, wandb_sync_command
from tests.training.runs import keep_training, make_config, read_lines, weigh
from tests.training.wandb_files import Kept, closed_network, tracked_lines
from tests.training.wandb_server import Server, serving

ROOT = Path(__file__).parents[2]
SMALL = ["data=toy", "data.sentences=600", "model.hidden=32", "model.feed_forward=64", "budget.passes=6"]
SMALL += ["training.batch_size=8", "training.checkpoint_ratio=0.1", "evaluation.samples=8", "evaluation.pairs=12"]
SMALL += ["training.log_ratio=0.05", "training.save_model=false"]


class Notes:
    """A tracker that keeps what it logs."""

    def __init__(self, begins_at: int = 0) -> None:
        self.begins_at = begins_at
        self.lines: list[tuple[int, int, Mapping[str, float]]] = []
        self.end: tuple[str, Mapping[str, float]] | None = None

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Keep it."""
        self.lines.append((number, words_seen, values))

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """Keep it."""
        self.end = (state, metrics)


LINES: list[dict[str, Any]] = [
    {"kind": "train", "words_seen": 100, "loss": 3.0, "phase": "wake", "updates": 4},
    {"kind": "sleep", "cycle": 0, "buffer_size": 3, "mean_score": 2.5, "sources": {"a": 1.0}, "exposures": [0, 3]},
    {
        "kind": "eval",
        "words_seen": 200,
        "split": "dev",
        "metrics": {"eval/nll": 2.0, "eval/pairs_accuracy": float("nan")},
    },
    {"kind": "train", "words_seen": 300, "loss": 1.0},
]


def journal(folder: Path, lines: Sequence[Mapping[str, Any]]) -> Path:
    """metrics.jsonl with these lines."""
    path = folder / "metrics.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_numbers_of_a_line_are_logged(tmp_path: Path) -> None:
    notes = Notes()
    trackers = TrackerGroup([lambda: notes], journal(tmp_path, []))
    for number, line in enumerate(LINES):
        trackers(number, line)
    assert notes.lines == [
        (0, 100, {"loss": 3.0}),
        (1, 100, {"sleep/buffer_size": 3.0, "sleep/mean_score": 2.5}),
        (2, 200, {"eval/nll": 2.0}),
        (3, 300, {"loss": 1.0}),
    ]
    trackers.finish()
    assert notes.end == ("failed", {})


@pytest.mark.parametrize("begins_at", range(5))
def test_a_tracker_logs_the_lines_that_it_lacks(begins_at: int, tmp_path: Path) -> None:
    """Its journal has kept two lines; the tracker may know fewer, or more than the checkpoint did."""
    notes = Notes(begins_at)
    trackers = TrackerGroup([lambda: notes], journal(tmp_path, LINES[:2]))
    for number in (2, 3):
        trackers(number, LINES[number])
    assert [number for number, _, _ in notes.lines] == list(range(begins_at, 4))


class Breaks(Notes):
    """A tracker that breaks at a line, or as it is closed."""

    def __init__(self, at: int | None) -> None:
        super().__init__()
        self.at = at

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Keep it, or break."""
        if number == self.at:
            raise ConnectionResetError("Connection lost")
        super().log(number, words_seen, values)

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """Keep it, or break."""
        if self.at is None:
            raise OSError("No space left on device")
        super().finish(state, metrics)


@pytest.mark.parametrize("at", [0, 2, None])
def test_a_tracker_that_fails_affects_nothing_else_and_logs_everything_at_the_end(
    at: int | None, tmp_path: Path
) -> None:
    whole, other, again = Breaks(at), Notes(), Notes()
    opened = [whole, again]
    trackers = TrackerGroup([lambda: opened.pop(0), lambda: other], journal(tmp_path, LINES))
    trackers.state = "completed"
    trackers.finish()
    assert other.end == again.end == ("completed", {})
    assert other.lines == again.lines
    assert [number for number, _, _ in again.lines] == [0, 1, 2, 3]
    assert whole.end is None


def test_a_tracker_that_cannot_be_opened_is_left_to_the_next_attempt(tmp_path: Path) -> None:
    asked = []

    def opener() -> Notes:
        asked.append(1)
        raise TimeoutError("no answer")

    trackers = TrackerGroup([opener], journal(tmp_path, LINES[:1]))
    trackers(1, LINES[1])
    trackers.state = "paused"
    trackers.finish()
    assert len(asked) == 1


def test_without_a_key_it_is_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    auto = TrackingConfig(wandb="auto")
    assert wandb_mode(auto, {}) == "offline"
    assert wandb_mode(auto, {"WANDB_API_KEY": "key"}) == "online"
    assert wandb_mode(auto, {"WANDB_API_KEY": "key", "WANDB_MODE": "offline"}) == "offline"
    (tmp_path / ".netrc").write_text("machine api.wandb.ai login user password key\n")
    (tmp_path / ".netrc").chmod(0o600)
    assert wandb_mode(auto, {}) == "online"
    assert wandb_mode(TrackingConfig(wandb="offline"), {"WANDB_API_KEY": "key"}) == "offline"


@pytest.mark.parametrize(("mode", "is_returned"), [("off", False), ("online", False), ("offline", True)])
def test_the_command_to_upload_is_returned_for_offline_runs(mode: str, is_returned: bool) -> None:
    command = wandb_sync_command(TrackingConfig(wandb=mode), Path("results/demo/trials/*"))
    assert command == ("wandb sync results/demo/trials/*/wandb/offline-run-*" if is_returned else None)


def worker(
    folder: Path, *overrides: str, proxy: str = "http://127.0.0.1:9", server: Server | None = None
) -> subprocess.Popen[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
    given = kept | {"HTTPS_PROXY": proxy, "HTTP_PROXY": proxy, "NO_PROXY": "", "HOME": str(folder)}
    given |= {"PYTHONPATH": str(ROOT), "SLEEP_TUNE_CACHE": str(folder / "cache")}
    given |= {} if server is None else server.environment | {"NO_PROXY": "127.0.0.1"}
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


@pytest.mark.slow
def test_weights_and_biases_has_every_line_once_though_the_run_was_killed_and_nothing_asks_the_network(
    tmp_path: Path,
) -> None:
    run = tmp_path / "runs" / "tracked"
    with closed_network() as (proxy, asked):
        overrides = ["run.name=tracked", "tracking=wandb", "tracking.group=study"]
        first = worker(tmp_path, *overrides, proxy=proxy)
        while len(list(run.glob("attempt-1/checkpoint-*/complete.json"))) < 1 or len(tracked_lines(run)) < 8:
            assert first.poll() is None, first.communicate()
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate()
        second = worker(tmp_path, *overrides, proxy=proxy)
        stdout, stderr = second.communicate(timeout=240)
    assert second.returncode == 0, stderr
    assert asked == []
    kept = Kept(run)  # one: what the killed attempt left is logged again
    assert kept.lines == tracked_lines(run)
    assert (kept.run.run_group, kept.run.display_name, kept.run.project) == ("study", "study/tracked", "sleep-tune")
    assert kept.config["model"]["hidden"] == 32
    assert kept.finished
    assert kept.summary["state"] == "completed"
    assert "test/nll" in kept.summary
    assert f"track wandb sync {run.relative_to(tmp_path)}/wandb/offline-run-*" in stdout
    with serving() as server:
        assert sync(kept.path.parent, server) == tracked_lines(run)
    assert server.exit_codes == [0]


def sync(place: Path, server: Server, *flags: str) -> list[int]:
    """Upload a folder, as the printed command does; the steps that the server got."""
    command = [str(Path(sys.executable).with_name("wandb")), "sync", *flags, str(place)]
    given = os.environ | server.environment | {"HOME": str(place), "WANDB_ERROR_REPORTING": "false"}
    done = subprocess.run(command, env=given, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return server.steps


@pytest.mark.slow
def test_a_run_that_was_killed_as_it_ended_is_finished_by_the_same_command(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "tracked"
    overrides = ["run.name=tracked", "tracking=wandb", "tracking.tensorboard=true"]
    _, stderr = worker(tmp_path, *overrides).communicate(timeout=240)
    whole = Kept(run)
    (whole.path.parent / "told.json").write_text('{"told": 7')  # as far as it came
    whole.path.write_bytes(whole.path.read_bytes()[:2000])
    (run / "tensorboard" / "told.json").unlink()
    again = worker(tmp_path, *overrides)
    stdout, stderr = again.communicate(timeout=240)
    assert again.returncode == 0, stderr
    assert "has ended already" in stdout
    kept = Kept(run)
    assert kept.path != whole.path
    assert kept.lines == whole.lines == tracked_lines(run)
    assert kept.finished
    assert kept.summary["state"] == "completed"
    assert kept.summary["test/nll"] == whole.summary["test/nll"]
    assert (run / "tensorboard" / "told.json").exists()


@pytest.mark.slow
def test_a_run_whose_tracker_is_killed_continues_and_logs_everything_at_its_end(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "tracked"
    process = worker(tmp_path, "run.name=tracked", "tracking=wandb")
    while not (run / "metrics.jsonl").exists() or len(tracked_lines(run)) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    for child in psutil.Process(process.pid).children():
        if child.name() == "wandb-core":
            child.kill()
    _, stderr = process.communicate(timeout=240)
    assert process.returncode == 0, stderr
    kept = Kept(run)
    assert kept.lines == tracked_lines(run)
    assert kept.finished
    assert "a tracker failed" in (run / "log.txt").read_text()


@pytest.mark.slow
def test_a_wrong_key_is_refused_before_anything_trains(tmp_path: Path) -> None:
    with serving(accepts=False) as server:
        refused = worker(tmp_path, "tracking=wandb", server=server)
        _, stderr = refused.communicate(timeout=240)
    assert refused.returncode == 2, stderr
    assert "no such key; tracking.wandb=offline" in stderr
    assert "Traceback" not in stderr
    assert not list(tmp_path.glob("runs/*/metrics.jsonl"))


def test_no_key_is_refused_where_tracking_is_to_be_online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"tracking\.wandb=online .*wandb login.*WANDB_API_KEY"):
        require_trackers(TrackingConfig(wandb="online"))


@pytest.mark.slow
def test_online_every_line_is_logged_once_and_a_server_that_disappears_stops_no_run(tmp_path: Path) -> None:
    with serving() as server:
        _, stderr = worker(tmp_path, "run.name=whole", "tracking=wandb", server=server).communicate(timeout=240)
        assert server.steps == tracked_lines(tmp_path / "runs" / "whole"), stderr
        assert server.exit_codes == [0]
        run = tmp_path / "runs" / "left"
        left = worker(tmp_path, "run.name=left", "tracking=wandb", server=server)
        while not (run / "metrics.jsonl").exists() or len(tracked_lines(run)) < 8:
            assert left.poll() is None, left.communicate()
            time.sleep(0.05)
    _, stderr = left.communicate(timeout=290)
    assert left.returncode == 0, stderr
    assert json.loads((run / "outcome.json").read_text())["state"] == "completed"
    with serving() as server:
        (place,) = (run / "wandb").glob("run-*")
        assert sync(place, server, "--include-online") == tracked_lines(run), "what was not uploaded lies on the disk"


@pytest.mark.slow
def test_tensorboard_has_every_loss_once(corpus: Corpus, tmp_path: Path) -> None:
    """Also of a run that was paused: its second attempt replaces the event files of the first."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    config = make_config(tmp_path, rungs=(0.5,))
    config.tracking.tensorboard = True

    def pause(progress: Progress) -> Decision:
        return Decision.CONTINUE if progress.rung is None else Decision.PAUSE

    assert train(config, pause, corpus=corpus, evaluate=weigh).state == "paused"
    assert train(config, keep_training, corpus=corpus, evaluate=weigh).state == "completed"
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    lines = read_lines(tmp_path, "train")
    losses = [(line["words_seen"], line["loss"]) for line in lines]
    found = [(event.step, event.value) for event in events.Scalars("loss")]
    assert found == [(words, pytest.approx(loss)) for words, loss in losses]
    assert not (tmp_path / "wandb").exists()
