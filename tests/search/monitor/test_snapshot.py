"""A search read from its folder equals the search of its director."""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import RunFolderError
from sleep_tune.search.decide.director import Director
from sleep_tune.search.monitor.event_lines import EventLines
from sleep_tune.search.monitor.screen import screen
from sleep_tune.search.monitor.snapshot import read_progress, read_recorded
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm, Stop
from tests.made import make_old
from tests.search.monitor.shown import BUDGET, at, drawn, started
from tests.search.studies import open_search, outcome
from tests.search.studies import study as mixed

LINE = {
    "kind": "train",
    "words_seen": 250_000,
    "updates": 3,
    "phase": "sleep",
    "cycle": 3,
    "pass_index": 1,
    "fold": 3,
    "read_ratio": 0.4,
    "seconds": 60.0,
    "loss": 4.125,
    "learning_rate": 1e-3,
}


def test_a_finished_search_draws_the_same_screen(open_director: Callable[..., Director]) -> None:
    director = open_director(gpus=1.0, arms={"folds": Arm(like="best", settings={"sleep.folds": 7})})
    run_inline(director, FakeWorker())
    seconds = director.seconds()
    recorded = read_recorded(director.folder, is_driven=False)
    assert recorded.seconds() == pytest.approx(seconds, abs=1)
    assert recorded.space.finalists == director.space.finalists
    assert recorded.space.arms == director.space.arms
    assert recorded.space.scheduler == director.space.scheduler
    assert dict(recorded.trials) == dict(director.trials)
    ours, theirs = (drawn(screen(one, 1, width=100)).partition(" elapsed")[2] for one in (recorded, director))
    assert ours == theirs


def test_looking_changes_nothing_in_the_folder(open_director: Callable[..., Director]) -> None:
    director = open_director()
    started(director)
    before = {path: path.read_bytes() for path in director.folder.rglob("*") if path.is_file()}
    read_recorded(director.folder, is_driven=True)
    assert before == {path: path.read_bytes() for path in director.folder.rglob("*") if path.is_file()}


def test_a_torn_last_line_and_unknown_keys_are_passed_over(open_director: Callable[..., Director]) -> None:
    director = open_director()
    started(director)
    with (director.folder / "trials.jsonl").open("a") as file:
        file.write('{"schema": 1, "event": "rep')
    described = director.folder / "experiment.yaml"
    described.write_text(described.read_text().replace("finalists:", "finalists:\n    of_a_later_version: 1"))
    assert read_recorded(director.folder, is_driven=True).trials["t0001"].state == "running"


def test_a_running_trial_stands_where_its_record_says(open_director: Callable[..., Director]) -> None:
    director = open_director()
    run = director.folder / "trials" / started(director).id
    run.mkdir(parents=True)
    sleep = {"kind": "sleep", "cycle": 3}
    seen = {key: value for key, value in LINE.items() if not key.startswith("l")} | {
        "kind": "eval",
        "words_seen": 250_001,
        "metrics": {},
    }
    lines = [json.dumps(line) for line in (LINE, seen, sleep)]
    (run / "metrics.jsonl").write_text("\n".join([*lines, '{"kind":"tra']))
    (run / "config.yaml").write_text("sleep: {folds: 20}")
    recorded = read_recorded(director.folder, is_driven=True)
    progress = recorded.trials["t0001"].progress
    assert progress is not None
    assert (progress.words_seen, progress.budget_words, progress.folds) == (250_001, BUDGET, 20)
    text = drawn(screen(recorded, 1, width=80), 80)
    row = next(line for line in text.splitlines() if line.startswith("t0001"))
    for part in ("sleep 4/20", "250k/1.0M", "4.125"):
        assert part in row


@pytest.mark.parametrize(
    ("config", "shown"),
    [("{folds: 20, interleave: true}", "interleaved 4 "), ("{folds: 1, matched: runs/x}", "matched ")],
)
def test_a_control_without_sleep_phases_is_shown_by_its_kind(
    open_director: Callable[..., Director], config: str, shown: str
) -> None:
    director = open_director()
    run = director.folder / "trials" / started(director).id
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text(f"{json.dumps(LINE | {'phase': 'wake'})}\n")
    (run / "config.yaml").write_text(f"sleep: {config}")
    text = drawn(screen(read_recorded(director.folder, is_driven=True), 1, width=80), 80)
    assert shown in text
    assert "wake" not in text


def test_a_rung_reported_after_the_last_line_counts(open_director: Callable[..., Director]) -> None:
    director = open_director()
    trial = started(director)
    director.on_progress(trial.id, at(333_400, 333_333, **{"eval/nll": 4.0}))
    run = director.folder / "trials" / trial.id
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text(f"{json.dumps(LINE)}\n")
    progress = read_recorded(director.folder, is_driven=True).trials[trial.id].progress
    assert progress is not None
    assert progress.words_seen == 333_400


@pytest.mark.parametrize("content", [None, b"", b"not json\n", b'{"kind":"train"}\n', b"[1]\n", b"\xff\xfe\n"])
def test_a_run_without_a_readable_record_stands_nowhere(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "metrics.jsonl").write_bytes(content)
    assert read_progress(tmp_path, 1000) is None


def test_without_a_driver_nothing_is_running_and_time_stands_still(open_director: Callable[..., Director]) -> None:
    director = open_director()
    trial = started(director)
    for driven, state in ((True, "running"), (False, "waiting")):
        recorded = read_recorded(director.folder, is_driven=driven, silent=1000)
        assert recorded.trials[trial.id].state == state
        assert (recorded.seconds() >= 1000) == driven


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search with a bit of everything in its log."""
    folder = tmp_path_factory.mktemp("results") / "small"
    director = open_search(folder, mixed())
    run_inline(director, FakeWorker())
    director.close()
    return folder


@settings(max_examples=30, deadline=None)
@given(share=st.floats(0, 1), is_driven=st.booleans())
def test_a_log_cut_anywhere_is_a_search_that_can_be_looked_at(searched: Path, share: float, is_driven: bool) -> None:
    whole = (searched / "trials.jsonl").read_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(searched / "experiment.yaml", folder)
        (folder / "trials.jsonl").write_bytes(whole[: round(share * len(whole))])
        recorded = read_recorded(folder, is_driven=is_driven, silent=1.0)
    text = drawn(screen(recorded, recorded.slots, width=80, height=30), 80)
    assert text.startswith("small · ")
    assert is_driven or "1 running" not in text
    assert recorded.seconds() >= 0


def test_slots_are_the_most_that_ran_in_the_last_session(open_director: Callable[..., Director]) -> None:
    director = open_director()
    for _ in range(3):
        started(director)
    assert read_recorded(director.folder, is_driven=True).slots == 3
    resumed = open_director()
    started(resumed)
    assert read_recorded(resumed.folder, is_driven=True).slots == 1


def test_a_search_that_is_held_says_so_once_its_runs_have_paused(open_director: Callable[..., Director]) -> None:
    director = open_director()
    trials = [started(director), started(director)]
    director.held = "the disk is nearly full"
    for trial, held in zip(trials, (None, "the disk is nearly full"), strict=True):
        director.on_end(trial.id, outcome("paused", 3.0))
        assert read_recorded(director.folder, is_driven=True).held == held


def test_another_space_in_the_next_session_is_the_one_that_is_shown(open_director: Callable[..., Director]) -> None:
    run_inline(open_director(), FakeWorker())
    director = open_director(stop=Stop(trials=6))
    recorded = read_recorded(director.folder, is_driven=True)
    assert recorded.space.stop == Stop(trials=6)
    assert recorded.changes == director.changes == ["stop.trials: 4 -> 6"]
    for one in (recorded, director):
        text = drawn(screen(one, 1, width=100))
        assert "changed: stop.trials: 4 -> 6" in text
        assert "10/12 runs done" in text
    assert list(EventLines(director).lines()) == ["changed: stop.trials: 4 -> 6"]


def _of_an_earlier_version(folder: Path) -> None:
    """Take the space out of the log: experiment.yaml alone had it."""
    make_old(folder / "trials.jsonl", lambda lines: lines[0]["data"].pop("study"))


def test_a_log_of_an_earlier_version_is_read_with_experiment_yaml(open_director: Callable[..., Director]) -> None:
    director = open_director()
    started(director)
    _of_an_earlier_version(director.folder)
    recorded = read_recorded(director.folder, is_driven=True)
    assert recorded.space.finalists == director.space.finalists
    assert recorded.trials["t0001"].state == "running"


@pytest.mark.parametrize(("content", "message"), [(None, "experiment.yaml"), ("space: {name: x}", "base is missing")])
def test_a_folder_that_does_not_say_what_it_is_is_refused(
    open_director: Callable[..., Director], content: str | None, message: str
) -> None:
    folder = open_director().folder
    _of_an_earlier_version(folder)
    (folder / "experiment.yaml").unlink()
    if content is not None:
        (folder / "experiment.yaml").write_text(content)
    with pytest.raises(RunFolderError, match=message):
        read_recorded(folder, is_driven=False)


@pytest.mark.parametrize(
    ("key", "odd"), [("words_seen", "x"), ("seconds", [1]), ("phase", 3), ("loss", {}), ("fold", None)]
)
def test_a_damaged_line_of_a_runs_record_is_passed_over(
    open_director: Callable[..., Director], key: str, odd: object
) -> None:
    director = open_director()
    run = director.folder / "trials" / started(director).id
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text(f"{json.dumps(LINE)}\n{json.dumps(LINE | {'words_seen': 260_000, key: odd})}\n")
    progress = read_recorded(director.folder, is_driven=True).trials["t0001"].progress
    assert progress is not None
    assert progress.words_seen == 250_000
