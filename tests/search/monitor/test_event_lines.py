"""The plain lines of a real director's search."""

from collections.abc import Callable

import pytest

from sleep_tune.records import Decision
from sleep_tune.search.decide.director import Director
from sleep_tune.search.monitor.event_lines import EventLines, heartbeat_line
from sleep_tune.search.monitor.screen import screen
from sleep_tune.search.monitor.snapshot import read_recorded
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Scheduler, Stop
from tests.search.monitor.shown import BUDGET, at, drawn, started
from tests.search.studies import outcome


def test_every_event_is_printed_once(open_director: Callable[..., Director]) -> None:
    director = open_director()
    source, lines = EventLines(director), list[str]()
    run_inline(director, FakeWorker(), lambda: lines.extend(source.lines()))
    assert len(lines) == len(set(lines))
    assert len(director.trials) == 10
    for name, trial in director.trials.items():
        own = [line for line in lines if line.startswith(f"{name} ")]
        assert own[0].startswith(f"{name} proposed: ")
        assert own[1] == f"{name} started"
        assert own[-1].startswith(f"{name} {trial.state}")
        assert len(own) == 3 + len(trial.decisions)
    assert any(line.startswith("t0001 proposed: folds ") and "replay.ratio 0." in line for line in lines)
    assert any("t0001 at 333,333 words: eval/nll" in line and line.endswith("promoted") for line in lines)
    assert any(line.endswith(", stopped") for line in lines)
    seed = next(trial.seed for trial in director.trials.values() if trial.arm == "epochs")
    assert f"epochs-s{seed} proposed: epochs, seed {seed}" in lines


def test_a_failure_has_its_reason_and_log(open_director: Callable[..., Director]) -> None:
    director = open_director()
    source = EventLines(director)
    director.on_failure(started(director).id, "loss is nan\nat step 3", "diverged", "logs/t0001.log")
    line = list(source.lines())[-1]
    assert all(part in line for part in ("t0001 failed", "diverged", "loss is nan", "logs/t0001.log"))
    assert "step 3" not in line
    assert list(source.lines()) == []


def test_a_lost_process_is_a_restart(open_director: Callable[..., Director]) -> None:
    director = open_director()
    source, trial = EventLines(director), started(director)
    assert list(source.lines())[-1] == "t0001 started"
    director.on_lost(trial.id)
    (line,) = source.lines()
    assert "attempt 2" in line
    assert "memory" not in line
    director.on_lost(trial.id, killer="the kernel")
    (line,) = source.lines()
    assert all(part in line for part in ("attempt 3", "memory", "the kernel"))


def test_memory_that_trials_shared_is_no_failure(open_director: Callable[..., Director]) -> None:
    director = open_director(shared=("machine",), stop=Stop(trials=1), baselines={})
    source, trial = EventLines(director), started(director)
    list(source.lines())
    director.on_failure(trial.id, "it is full", "out_of_memory", "logs/t0001.log")
    (line,) = source.lines()
    assert all(part in line for part in ("t0001", "alone", "machine", "it is full", "logs/t0001.log"))
    assert "failed" not in line
    assert "will be tried alone: 1" in drawn(screen(director, 1, width=100))
    assert started(director).id == trial.id
    (line,) = source.lines()
    assert "attempt 2" in line and "nothing else runs" in line
    assert "tried alone" not in drawn(screen(director, 1, width=100))


@pytest.mark.parametrize("beats", [0, 1])
def test_a_pause_of_the_search_and_of_its_runs(open_director: Callable[..., Director], beats: int) -> None:
    director = open_director()
    source, trial = EventLines(director), started(director)
    list(source.lines())
    for _ in range(beats):
        director.on_progress(trial.id, at(BUDGET // 4))
    director.held = "the disk is nearly full"
    (line,) = source.lines()
    assert line.endswith("paused: the disk is nearly full")
    director.on_end(trial.id, outcome("paused", 3.0))
    (line,) = source.lines()
    assert line.startswith(f"t0001 paused at {'25%' if beats else '0%'}")
    director.held = None
    assert started(director).id == trial.id
    continues, restarted = source.lines()
    assert "search" in continues
    assert "t0001" in restarted and "attempt 2" in restarted


def test_what_an_earlier_session_said_is_not_said_again(open_director: Callable[..., Director]) -> None:
    started(open_director())
    resumed = open_director()
    source = EventLines(resumed)
    assert list(source.lines()) == []
    assert started(resumed).id == "t0001"
    (line,) = source.lines()
    assert "t0001" in line and "attempt 2" in line


def test_a_heartbeat_makes_up_no_total_where_only_time_ends_the_search(open_director: Callable[..., Director]) -> None:
    director = open_director(stop=Stop(hours=1.0))
    assert heartbeat_line(director, 1) == "0 runs done · nothing is running"
    director.on_progress(started(director).id, at(BUDGET // 2))
    assert heartbeat_line(director, 1) == "0 runs done · t0001 wake 3/10 50%"


def test_a_trial_that_pauses_at_a_rung_and_is_promoted_later(open_director: Callable[..., Director]) -> None:
    director = open_director(scheduler=Scheduler(name="promotion"), stop=Stop(trials=8))
    source, rung = EventLines(director), round(BUDGET / 3)
    trials = [started(director) for _ in range(6)]
    for value, trial in enumerate(trials):
        if director.on_progress(trial.id, at(rung, rung, **{"eval/nll": float(value)})) is Decision.PAUSE:
            director.on_end(trial.id, outcome("paused", 1.0))
    before = [line for line in source.lines() if line.startswith(f"{trials[1].id} ")]
    assert before[-1].endswith("paused")
    assert started(director).id == trials[1].id
    after = [line for line in source.lines() if line.startswith(f"{trials[1].id} ")]
    assert len(after) == 2
    assert "promoted at 333,333 words" in after[0]
    assert "attempt 2" in after[1]
    assert "5 paused" not in drawn(screen(director, 1, width=100))
    assert "4 paused" in drawn(screen(director, 1, width=100))
    shown = drawn(screen(read_recorded(director.folder, is_driven=True), 1, width=100))
    row = next(line.split() for line in shown.splitlines() if line.strip().startswith("33%"))
    assert row[:6] == ["33%", "333k", "6", "2", "4", "0"]  # arrived, promoted, paused, stopped
    director.stop_paused(trials[5].id, "resources.disk_gb allows 1 GB")
    assert [line for line in source.lines() if line.startswith(trials[5].id)] == [
        f"{trials[5].id} stopped: resources.disk_gb allows 1 GB"
    ]


def test_a_search_whose_last_event_is_a_pause_at_a_rung_is_not_held(open_director: Callable[..., Director]) -> None:
    director = open_director(scheduler=Scheduler(name="promotion"))
    first, second = started(director), started(director)
    for trial, value in ((first, 1.0), (second, 2.0)):
        director.on_progress(trial.id, at(BUDGET // 3, round(BUDGET / 3), **{"eval/nll": value}))
    director.on_failure(first.id, "the node is gone", "infrastructure")
    director.on_end(second.id, outcome("paused", 2.0))
    assert read_recorded(director.folder, is_driven=True).held is None
