"""What stays on the disk, what goes, and when a search waits for room. The folders are real, the weights are not."""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import from_dict
from sleep_tune.errors import Diverged
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.records import Decision, Outcome, Report
from sleep_tune.search.decide.assignments import Done, Wait
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.disk import DiskWatch
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm, Finalists, Resources, Scheduler, Space, Stop
from tests.search.studies import WORKER, open_search, outcome, plain, progress, start, study

MODEL, CHECKPOINT, METRICS = 1_000_000, 3_000_000, 10_000
"""Bytes; the files are sparse, and as large as they say."""


OPEN: list[Director] = []


def opened(folder: Path, space: Space) -> Director:
    """A search that is closed at the end of the test."""
    OPEN.append(open_search(folder, space))
    return OPEN[-1]


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    """Close what was opened."""
    yield
    while OPEN:
        OPEN.pop().close()


def fill(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def write_run(config: RunConfig, report: Report) -> Outcome:
    """Leave in the run's folder what training leaves; a process that is stopped has no time to tidy up."""
    assert config.run.dir is not None
    folder = Path(config.run.dir)
    fill(folder / "metrics.jsonl", METRICS)
    fill(folder / "attempt-1" / "writer", 10)
    fill(folder / "attempt-1" / "checkpoint-1" / "model.safetensors", CHECKPOINT)
    outcome = WORKER(config, report)
    if outcome.state == "completed":
        fill(folder / "model" / "model.safetensors", MODEL)
        fill(folder / "checkpoints" / "chck_1M" / "model.safetensors", MODEL)
        fill(folder / "outcome.json", 100)
    return outcome


def watch_disk(director: Director, **more: Any) -> DiskWatch:
    """Without a limit of time."""
    return DiskWatch(director, patience=math.inf, **more)


def with_weights(folder: Path) -> set[str]:
    return {path.name for path in (folder / "trials").iterdir() if (path / "model").exists()}


def test_the_best_keep_their_weights_and_everyone_their_metrics(tmp_path: Path) -> None:
    """Through a whole search with a tuned baseline and finalists; checked at every step."""
    director = opened(tmp_path / "x", study(finalists=Finalists(count=2, seeds=2)))
    disk = watch_disk(director)
    run_inline(director, write_run, disk.watch)
    disk.watch()
    trials, state = director.trials, director.state
    best = {trial.id for trial in [*list(state.ranking(MAIN))[:2], *list(state.ranking("epochs"))[:1]]}
    repeats = {trial.id for trial in trials.values() if trial.role != "search" and trial.number is None}
    folder = tmp_path / "x"
    assert len(repeats) == 8
    assert with_weights(folder) == best | repeats
    trained = [trial for trial in trials.values() if trial.attempt and trial.repeats is None]
    assert {trial.state for trial in trained} >= {"completed", "stopped", "failed"}
    for trial in trained:
        run = folder / "trials" / trial.id
        assert (run / "metrics.jsonl").exists()
        assert not list(run.glob("attempt-*"))
        assert (run / "checkpoints").exists() == (trial.id in best | repeats)
    kept = len(best | repeats)
    assert disk.summary().startswith(f"kept {kept} models, {2 * kept * MODEL / 1e9:.2g} GB; the experiment takes ")


def test_a_search_without_finalists_keeps_its_best(tmp_path: Path) -> None:
    director = opened(tmp_path / "x", plain(stop=Stop(trials=5)))
    disk = watch_disk(director)
    run_inline(director, write_run, disk.watch)
    disk.watch()
    best = director.best()
    assert best is not None
    assert with_weights(tmp_path / "x") == {best.id}


@pytest.mark.parametrize(("kind", "resumes"), [("bug", True), ("infrastructure", True), ("diverged", False)])
def test_a_trial_that_may_resume_keeps_its_checkpoint(kind: str, resumes: bool, tmp_path: Path) -> None:
    director = opened(tmp_path / "x", plain(stop=Stop(trials=2)))
    trial = start(director)
    fill(tmp_path / "x" / "trials" / trial.id / "attempt-1" / "checkpoint-1" / "weights", CHECKPOINT)
    director.on_failure(trial.id, "it broke", kind)
    watch_disk(director).watch()
    assert (tmp_path / "x" / "trials" / trial.id / "attempt-1").exists() == resumes


def test_running_and_waiting_trials_are_left_alone(tmp_path: Path) -> None:
    director = opened(tmp_path / "x", plain(stop=Stop(trials=3)))
    trial = start(director)
    checkpoint = tmp_path / "x" / "trials" / trial.id / "attempt-1" / "checkpoint-1" / "weights"
    fill(checkpoint, CHECKPOINT)
    disk = watch_disk(director)
    disk.watch()
    OPEN.pop().close()
    again = opened(tmp_path / "x", plain(stop=Stop(trials=3)))
    watch_disk(again).watch()
    assert checkpoint.exists()


def capped(megabytes: float, **more: Any) -> Space:
    return plain(stop=Stop(trials=6), resources=Resources(disk_gb=megabytes / 1000), **more)


def test_over_its_cap_an_experiment_loses_weights_worst_first(tmp_path: Path) -> None:
    """Three would stay by rank; the cap has room for the best two and for the one that runs. Metrics stay."""
    director = opened(tmp_path / "x", capped(7.7, finalists=Finalists(count=3, seeds=1)))
    disk = watch_disk(director)
    run_inline(director, write_run, disk.watch)
    disk.watch()
    assert director.finished
    left = with_weights(tmp_path / "x")
    assert left
    finalists = {trial.id for trial in director.trials.values() if trial.role == "finalist"}
    ranking = [trial.id for trial in director.state.ranking(MAIN)]
    kept = [name for name in ranking if name in left]
    assert kept == ranking[: len(kept)]
    assert finalists & left
    assert all((path / "metrics.jsonl").exists() for path in (tmp_path / "x" / "trials").iterdir())
    taken = sum(path.stat().st_size for path in (tmp_path / "x").rglob("*") if path.is_file())
    assert taken <= 7.7e6


PAUSING = Scheduler(name="promotion", first_rung=0.3)


def test_paused_trials_keep_their_checkpoints_until_the_cap_is_reached(tmp_path: Path) -> None:
    """Then the worst are stopped, and the others and the running trial stay."""
    director = opened(tmp_path / "x", plain(stop=Stop(trials=8), scheduler=PAUSING))
    trials = [start(director) for _ in range(4)]
    rung = round(director.budget_words / 3)
    for value, trial in enumerate(trials):
        fill(tmp_path / "x" / "trials" / trial.id / "attempt-1" / "checkpoint-1" / "model.safetensors", CHECKPOINT)
        answer = director.on_progress(trial.id, progress(rung, rung=rung, value=float(value)))
        if answer is Decision.PAUSE:
            director.on_end(trial.id, outcome("paused", float(value)))
    disk = watch_disk(director)
    disk.watch()
    assert [director.trials[trial.id].state for trial in trials] == ["running", "paused", "paused", "paused"]
    director.space = replace(director.space, resources=Resources(disk_gb=2.5 * CHECKPOINT / 1e9))
    disk.watch()
    assert [director.trials[trial.id].state for trial in trials] == ["running", "paused", "stopped", "stopped"]
    assert all("resources.disk_gb" in (director.trials[trial.id].reason or "") for trial in trials[2:])
    has_checkpoint = [bool(list((tmp_path / "x" / "trials" / trial.id).glob("attempt-*"))) for trial in trials]
    assert has_checkpoint == [True, True, False, False]
    assert director.held is None


def test_a_paused_trial_needs_no_room_for_a_next_checkpoint(tmp_path: Path) -> None:
    needs = []
    for scheduler in (PAUSING, Scheduler(name="none")):
        director, room = opened(tmp_path / scheduler.name, plain(scheduler=scheduler)), Room(0)
        rung = round(director.budget_words / 3)
        for value, trial in enumerate([start(director) for _ in range(4)]):
            if director.on_progress(trial.id, progress(rung, rung=rung, value=float(value))) is Decision.PAUSE:
                director.on_end(trial.id, outcome("paused", 1.0))
        disk = watch_disk(director, free=room, reserve=0)
        needs.append(next(size for size in range(0, 10**9, 10**6) if _held_at(disk, room, size, director) is None))
    assert needs[1] > 1.5 * needs[0]


def test_a_cap_that_nothing_can_meet_holds_the_search_and_says_what_to_do(tmp_path: Path) -> None:
    director = opened(tmp_path / "x", capped(2))
    trial = start(director)
    fill(tmp_path / "x" / "trials" / trial.id / "attempt-1" / "weights", CHECKPOINT)
    disk = watch_disk(director)
    disk.watch()
    assert director.held is not None
    assert "resources.disk_gb allows 0.002 GB" in director.held
    assert isinstance(director.next(), Wait)
    (tmp_path / "x" / "trials" / trial.id / "attempt-1" / "weights").unlink()
    disk.watch()
    assert director.held is None


class Room:
    """A disk of which a test says how much is free."""

    def __init__(self, free: float) -> None:
        self.free = int(free)

    def __call__(self, folder: Path) -> int:
        """Bytes."""
        return self.free


def test_a_nearly_full_disk_holds_the_search_until_there_is_room(tmp_path: Path) -> None:
    """What it waits for is more than what made it wait, so that it does not go to and fro."""
    director, room = opened(tmp_path / "x", plain(stop=Stop(trials=3))), Room(1e12)
    disk = watch_disk(director, free=room, reserve=10**9)
    trial = start(director)
    assert _held_at(disk, room, 10**12, director) is None
    message = _held_at(disk, room, 10**9, director)
    assert message is not None
    assert "1.0 GB free" in message
    assert "1 trials" in message
    assert isinstance(director.next(), Wait)
    limit = next(size for size in range(10**9, 10**10, 10**6) if _held_at(disk, room, size, director) is None)
    room.free = int(limit / 1.05)
    disk.watch()
    assert director.held is None
    director.on_failure(trial.id, "enough", "diverged")
    assert not isinstance(director.next(), Wait | Done)


def _held_at(disk: DiskWatch, room: Room, free: int, director: Director) -> str | None:
    room.free = free
    disk.watch()
    return director.held


def test_more_trials_need_more_room(tmp_path: Path) -> None:
    needs = []
    for running in (1, 4):
        director, room = opened(tmp_path / str(running), plain(stop=Stop(trials=9))), Room(0)
        for _ in range(running):
            start(director)
        disk = watch_disk(director, free=room, reserve=0)
        needs.append(next(size for size in range(0, 10**9, 10**6) if _held_at(disk, room, size, director) is None))
    assert needs[1] > 1.5 * needs[0]


def test_the_hold_of_another_is_left_alone(tmp_path: Path) -> None:
    """Ctrl-C's, for one."""
    director, room = opened(tmp_path / "x", plain()), Room(0)
    disk = watch_disk(director, free=room)
    director.held = "interrupted"
    disk.watch()
    assert director.held == "interrupted"
    room.free = 10**12
    disk.watch()
    assert director.held == "interrupted"


def test_a_held_search_runs_to_its_end_when_there_is_room_again(tmp_path: Path) -> None:
    """The disk is full for a moment in the middle of some runs: these pause, wait and resume; none is lost."""
    director, room = opened(tmp_path / "x", plain(stop=Stop(trials=4))), Room(1e12)
    disk, looks = watch_disk(director, free=room), 0
    held: list[str] = []

    def look() -> None:
        nonlocal looks
        looks += 1
        room.free = 0 if looks in (4, 15, 30) else 10**12
        disk.watch()
        held.extend([] if director.held is None else [director.held])

    run_inline(director, write_run, look)
    assert director.finished
    assert held
    assert sum(trial.attempt > 1 for trial in director.trials.values()) > 0
    assert {trial.state for trial in director.trials.values()} <= {"completed", "stopped", "failed", "refused"}


def test_a_model_that_was_removed_breaks_no_resuming(tmp_path: Path) -> None:
    space = plain(stop=Stop(trials=4))
    director = opened(tmp_path / "x", space)
    disk = watch_disk(director)
    run_inline(director, write_run, disk.watch)
    OPEN.pop().close()
    more = plain(stop=Stop(trials=6))
    again = opened(tmp_path / "x", more)
    run_inline(again, write_run, watch_disk(again).watch)
    assert again.finished


def test_it_is_fast_with_a_thousand_trials(tmp_path: Path) -> None:
    """Sizes of ended trials are kept: only the files of running trials are measured again."""
    director = opened(tmp_path / "x", plain(stop=Stop(trials=30)))
    disk = watch_disk(director)
    run_inline(director, write_run, disk.watch)
    disk.watch()
    for path in (tmp_path / "x" / "trials").iterdir():
        for number in range(100):
            fill(path / "eval" / f"{number}.json", 1)
    begun = time.process_time()
    disk.watch()
    assert time.process_time() - begun < 0.1


def fail(config: RunConfig, report: Report) -> Outcome:
    write_run(config, report)
    raise Diverged("lost")


def test_a_trial_that_diverged_leaves_metrics_alone(tmp_path: Path) -> None:
    director = opened(tmp_path / "x", plain(stop=Stop(trials=2)))
    watch = DiskWatch(director).watch
    run_inline(director, fail, watch)
    watch()
    assert {path.name for run in (tmp_path / "x" / "trials").iterdir() for path in run.iterdir()} == {
        *("metrics.jsonl", "outcome.json")
    }


def test_a_look_takes_no_longer_than_it_may(tmp_path: Path) -> None:
    """The rest is done in the next checks, before a new one starts."""
    director = opened(tmp_path / "x", plain(stop=Stop(trials=8)))
    run_inline(director, write_run)
    disk, before = DiskWatch(director, patience=0), []
    for _ in range(len(director.trials) + 1):
        before.append(len(with_weights(tmp_path / "x")))
        disk.watch()
    assert before[0] > 1
    assert len(with_weights(tmp_path / "x")) == 1


def test_what_a_control_needs_of_its_parent_stays(tmp_path: Path) -> None:
    """Also over the cap, where the weights go."""
    arms = {"strict": Arm(settings={"sleep": "strict"}), "control": Arm(matched="strict")}
    space = plain(stop=Stop(trials=0), arms=arms, finalists=Finalists(seeds=2), resources=Resources(disk_gb=0.0005))
    director = opened(tmp_path / "x", space)
    disk, parents = watch_disk(director), [start(director), start(director)]
    for parent in parents:
        outcome = write_run(from_dict(parent.config), lambda progress: Decision.CONTINUE)
        fill(director.folder / "trials" / parent.id / "exposures.npz", 1_000)
        director.on_end(parent.id, outcome)
    disk.watch()
    assert not with_weights(director.folder)
    director.held = None
    control = start(director)
    assert control.config["sleep"]["matched"] == str(director.folder / "trials" / parents[0].id)
    assert (Path(control.config["sleep"]["matched"]) / "exposures.npz").is_file()


def test_a_larger_arm_needs_more_room(tmp_path: Path) -> None:
    needs = []
    for name, settings in (("x", {}), ("y", {"model.hidden": 512})):
        director, room = opened(tmp_path / name, plain(arms={"wide": Arm(settings=settings)})), Room(0)
        disk = watch_disk(director, free=room, reserve=0)
        needs.append(next(size for size in range(0, 10**10, 10**7) if _held_at(disk, room, size, director) is None))
    assert needs[1] > 1.5 * needs[0]
