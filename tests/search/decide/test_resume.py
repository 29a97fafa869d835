"""A search that is killed at any moment resumes as if it had not been killed."""

import contextlib
import functools
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import RunFolderError
from sleep_tune.records import Decision
from sleep_tune.search.decide.director import Trial, Wait
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Int, Parameter, Resources, Search
from tests.search.studies import (
    BUDGET,
    WORKER,
    Killed,
    decisions,
    killed_after,
    open_search,
    outcome,
    progress,
    search,
    start,
    study,
)


@functools.cache
def undisturbed() -> tuple[dict[str, Any], bytes, bytes]:
    """The decisions of the small study if it is not killed, its log, and its experiment.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        decided = search(Path(folder) / "x")
        files = Path(folder) / "x"
        return decided, (files / "trials.jsonl").read_bytes(), (files / "experiment.yaml").read_bytes()


def test_the_study_has_a_bit_of_everything() -> None:
    """Otherwise the tests below would show little."""
    decided, _, _ = undisturbed()
    states = {trial[7] for trial in decided.values()}
    assert states == {"completed", "stopped", "failed", "refused"}
    assert {trial[0] for trial in decided.values()} == {"search", "baseline", "finalist"}
    assert any(trial[8] == "repeat" for trial in decided.values())


@settings(max_examples=12)
@given(st.floats(0, 1))
def test_a_log_cut_at_any_byte_leads_to_the_same_decisions(share: float) -> None:
    decided, log, experiment = undisturbed()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "experiment.yaml").write_bytes(experiment)
        (Path(folder) / "trials.jsonl").write_bytes(log[: int(share * len(log))])
        assert search(Path(folder)) == decided


@settings(max_examples=6)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=4))
def test_killed_again_and_again_it_decides_the_same(kills: list[int]) -> None:
    decided, _, _ = undisturbed()
    with tempfile.TemporaryDirectory() as folder:
        for reports in kills:
            director = open_search(Path(folder) / "x")
            with contextlib.suppress(Killed):
                run_inline(director, killed_after(reports))
            director._held.close()  # as the end of a process does: nothing is written
        assert search(Path(folder) / "x") == decided


def test_moved_linked_or_copied_while_it_ran_it_decides_the_same(tmp_path: Path) -> None:
    """The copy has the lock's file of a process that is alive, and a line that was being written."""
    decided, _, _ = undisturbed()
    director = open_search(tmp_path / "x")
    with contextlib.suppress(Killed):
        run_inline(director, killed_after(5))
    copy = shutil.copytree(tmp_path / "x", tmp_path / "copies" / "x")
    with (copy / "trials.jsonl").open("a") as log:
        log.write('{"schema":1,"event":"rep')
    assert search(copy) == decided
    director._held.close()
    (tmp_path / "moved").mkdir()
    shutil.move(tmp_path / "x", tmp_path / "moved" / "x")
    (tmp_path / "linked").symlink_to(tmp_path / "moved")
    assert search(tmp_path / "linked" / "x") == decided


def test_a_finished_search_is_not_touched_when_run_again(tmp_path: Path) -> None:
    decided = search(tmp_path / "x")
    before = {file.name: file.read_bytes() for file in (tmp_path / "x").iterdir()}
    assert search(tmp_path / "x") == decided
    assert {file.name: file.read_bytes() for file in (tmp_path / "x").iterdir()} == before


def test_a_folder_of_another_study_is_refused(tmp_path: Path) -> None:
    search(tmp_path / "x")
    with pytest.raises(RunFolderError, match=r"search.seed is 1 there and 2 here.*another name"):
        open_search(tmp_path / "x", study(search=Search(seed=2, startup=3)))


def test_where_it_runs_may_change(tmp_path: Path) -> None:
    search(tmp_path / "x")
    open_search(tmp_path / "x", study(resources=Resources(cpus_per_worker=7))).close()


def test_two_drivers_on_one_folder(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x")
    with pytest.raises(RunFolderError, match=r"process \d+ on .* is writing it now"):
        open_search(tmp_path / "x")
    director.close()


def test_a_stop_that_was_decided_but_not_carried_out(tmp_path: Path) -> None:
    """Killed between the decision and the trial's end: it is not started again."""
    space = study(parameters=(Parameter("sleep.folds", Int(1, 30)),), baselines={})
    director = open_search(tmp_path / "x", space)
    rung = round(director.rungs[0] * director.budget_words)
    for value in (1.0, 2.0):
        trial = director.next()
        assert isinstance(trial, Trial)
        director.on_progress(trial.id, progress(rung, rung=rung, value=value))
    director._held.close()
    director = open_search(tmp_path / "x", space)
    assert [trial.state for trial in director.trials.values()] == ["waiting", "stopped"]
    director.close()


def test_running_trials_get_a_new_attempt(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x")
    first = director.next()
    assert isinstance(first, Trial)
    assert first.attempt == 1
    director.close()
    director = open_search(tmp_path / "x")
    again = director.next()
    assert isinstance(again, Trial)
    assert (again.id, again.attempt, again.config) == (first.id, 2, first.config)
    assert director.trials[again.id].retries == 0
    director.close()


def test_a_held_search_pauses_what_runs_and_starts_nothing(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", study(parameters=(Parameter("sleep.folds", Int(1, 30)),), baselines={}))
    rung = round(director.rungs[0] * director.budget_words)
    kept, worse = start(director), start(director)
    assert director.running == 2
    director.held = "the disk is nearly full"
    assert director.next() == Wait()
    assert director.on_progress(kept.id, progress(10)) is Decision.PAUSE
    assert director.on_progress(kept.id, progress(rung, rung=rung, value=1.0)) is Decision.PAUSE
    assert director.on_progress(worse.id, progress(rung, rung=rung, value=2.0)) is Decision.STOP
    assert director.on_progress(kept.id, progress(BUDGET, rung=BUDGET)) is Decision.CONTINUE
    director.on_end(kept.id, outcome("paused", 1.0))
    director.on_end(worse.id, outcome("paused", 2.0))
    assert [trial.state for trial in director.trials.values()] == ["waiting", "stopped"]
    assert director.running == 0
    director.held = None
    again = start(director)
    assert (again.id, again.attempt) == (kept.id, 2)
    assert director.on_progress(kept.id, progress(rung, rung=rung, value=1.0)) is Decision.CONTINUE
    director.close()


def test_a_bug_s_trial_is_tried_again_in_the_next_session(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x")
    trial = start(director)
    director.on_failure(trial.id, "KeyError: 'no such thing'", "bug", "logs/t0001.log")
    assert director.trials[trial.id].state == "failed"
    director.close()
    director = open_search(tmp_path / "x")
    waiting = director.trials[trial.id]
    assert waiting.state == "waiting"
    run_inline(director, WORKER)
    told = decisions(director)
    assert waiting.attempt == 2
    director.close()
    assert told == undisturbed()[0]
