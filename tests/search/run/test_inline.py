"""One trial at a time in this process: what a run raises, and one small search with the real worker."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import DiskError, Diverged, OutOfMemory, Superseded
from sleep_tune.experiment.run_folder import read_config
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.run.worker import summarize, train_worker
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.search_space import Int, Parameter, Scheduler
from sleep_tune.search.space.space_file import load_space
from tests.search.studies import WORKER, Killed, open_search, study

SPACE = study(parameters=(Parameter("sleep.folds", Int(1, 30)),), baselines={})
DEMO = Path(__file__).parents[3] / "search_spaces" / "demo.yaml"


def test_a_failure_of_the_settings_is_recorded_and_the_search_continues(tmp_path: Path) -> None:
    def moody(config: RunConfig, report: Any) -> Outcome:
        match config.run.name:
            case "t0001":
                raise Diverged("loss is nan")
            case "t0002":
                raise OutOfMemory("7 GB wanted")
        return WORKER(config, report)

    director = open_search(tmp_path / "x", SPACE)
    run_inline(director, moody)
    assert director.finished
    ended = [(trial.state, trial.kind, trial.reason) for trial in director.trials.values()]
    assert ended[:2] == [("failed", "diverged", "loss is nan"), ("failed", "out_of_memory", "7 GB wanted")]
    director.close()


def test_a_bug_stops_the_search_with_its_traceback(tmp_path: Path) -> None:
    def broken(config: RunConfig, report: Any) -> Outcome:
        raise KeyError("no such thing")

    director = open_search(tmp_path / "x", SPACE)
    with pytest.raises(KeyError, match="no such thing"):
        run_inline(director, broken)
    trial = director.trials["t0001"]
    assert (trial.state, trial.kind, trial.reason) == ("failed", "bug", "KeyError: 'no such thing'")
    director.close()


@pytest.mark.parametrize("error", [DiskError("3 MB left"), Superseded("its folder was removed")])
def test_what_is_no_bug_leaves_the_trial_for_the_next_session(tmp_path: Path, error: Exception) -> None:
    def full(config: RunConfig, report: Any) -> Outcome:
        raise error

    director = open_search(tmp_path / "x", SPACE)
    with pytest.raises(type(error), match=str(error)):
        run_inline(director, full)
    assert director.trials["t0001"].state == "running"
    director.close()
    director = open_search(tmp_path / "x", SPACE)
    run_inline(director, WORKER)
    assert director.trials["t0001"].attempt == 2
    director.close()


def test_a_search_that_waits_for_nothing_is_our_bug(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", SPACE)
    for _ in range(7):
        director.next()
    with pytest.raises(RuntimeError, match="none is running"):
        run_inline(director, WORKER)
    director.close()


def test_a_paused_search_waits_to_be_resumed(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", SPACE)
    looks = []

    def refresh() -> None:
        looks.append(director.running)
        if len(looks) == 2:
            director.held = "the disk is nearly full"
        if len(looks) > 6:
            director.held = None

    run_inline(director, WORKER, refresh)
    assert looks[:7] == [1, 1, 1, 0, 0, 0, 0]
    assert director.trials["t0001"].attempt == 2
    assert director.finished
    director.close()


@pytest.mark.slow
def test_a_small_search_that_really_trains(tmp_path: Path) -> None:
    overrides = ["data.sentences=400", "budget.passes=4", "stop.trials=2", "finalists.count=1", "finalists.seeds=1"]
    space = load_space(
        DEMO, [*overrides, "evaluation.samples=8", "evaluation.pairs=12", "parameters.sleep.folds.int=[1, 2]"]
    )
    base = compose_base(space)
    director = Director(space, base, summarize(base), tmp_path / "demo")
    run_inline(director, train_worker)
    assert director.finished
    assert {trial.state for trial in director.trials.values()} <= {"completed", "stopped", "refused"}
    roles = [trial.role for trial in director.trials.values() if trial.state == "completed"]
    assert roles.count("baseline") == 2
    assert roles.count("finalist") == 1
    for trial in director.trials.values():
        if trial.role != "search":
            assert trial.outcome is not None
            assert {"eval/nll", "test/nll", "test/pairs_accuracy"} <= trial.outcome.metrics.keys()
            assert trial.outcome.words_seen == pytest.approx(director.budget_words, rel=0.1)
            assert (tmp_path / "demo" / "trials" / trial.id / "config.yaml").exists()
    director.close()


@pytest.mark.slow
def test_a_checkpoint_is_good_under_another_scheduler(tmp_path: Path) -> None:
    """Killed in training; the next session has other rungs, and the run resumes from its checkpoint."""
    options = ["data.sentences=400", "budget.passes=4", "evaluation.samples=8", "evaluation.pairs=12"]
    options += ["stop.trials=1", "baselines={}", "finalists.count=0", "training.checkpoint_ratio=0.1"]
    options += ["parameters.sleep.folds.int=[1, 2]"]
    space = load_space(DEMO, options)
    base = compose_base(space)
    corpus = summarize(base)

    def killed_at_its_end(config: RunConfig, report: Report) -> Outcome:
        def until(progress: Progress) -> Decision:
            if progress.rung == progress.budget_words:
                raise Killed
            return report(progress)

        return train_worker(config, until)

    director = Director(space, base, corpus, tmp_path / "x")
    with pytest.raises(Killed):
        run_inline(director, killed_at_its_end)
    (trial,) = director.trials.values()
    (rung,) = trial.rungs
    director._held.close()
    other = replace(space, scheduler=Scheduler(first_rung=0.1, reduction=2))
    director = Director(other, base, corpus, tmp_path / "x")
    run_inline(director, train_worker)
    (trial,) = director.trials.values()
    assert (trial.state, trial.attempt) == ("completed", 2)
    assert read_config(tmp_path / "x" / "trials" / trial.id).evaluation.rungs == director.rungs
    assert set(trial.rungs) == {rung, director.budget_words}, "a rung that it had passed was evaluated late"
    director.close()
