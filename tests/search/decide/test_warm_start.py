"""Warm start: another experiment's trials are copied, learnt from and shown here, and never trained."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.errors import ConfigError, RunFolderError
from sleep_tune.experiment.event_log import read_events
from sleep_tune.experiment.trial_state import TrialState
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.search_history import FoldedLog
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import (
    Choice,
    CorpusSummary,
    Finalists,
    Int,
    Objective,
    Parameter,
    Scheduler,
    Search,
    Space,
    Stop,
    Uniform,
)
from tests.search.studies import BASE, BUDGET, WORKER, open_search, plain, progress, search, start

EARLIER = plain(name="old", stop=Stop(trials=5))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A finished experiment of five trials."""
    search(tmp_path / "old", EARLIER)
    return tmp_path / "old"


def trials_of(folder: Path) -> dict[str, TrialState]:
    return FoldedLog(EARLIER, BASE, read_events(folder / "trials.jsonl")).state.trials


def warm(old: Path, **more: Any) -> Space:
    """A study that takes its trials."""
    return plain(**({"warm_start": (str(old),), "search": Search(seed=7, startup=3)} | more))


def test_its_trials_are_known_to_the_sampler_and_not_counted(old: Path, tmp_path: Path) -> None:
    with_it, without = open_search(tmp_path / "x", warm(old)), open_search(tmp_path / "y", warm(old, warm_start=()))
    taken = [trial for trial in with_it.trials.values() if trial.source is not None]
    there = {name: trial for name, trial in trials_of(old).items() if trial.state != "refused"}
    assert {f"old.{name}" for name in there} == {trial.id for trial in taken}
    for trial in taken:
        theirs = there[trial.id.removeprefix("old.")]
        assert (trial.state, trial.value, trial.parameters) == (theirs.state, theirs.value, theirs.parameters)
        assert (trial.rungs, trial.outcome, trial.seed) == (theirs.rungs, theirs.outcome, theirs.seed)
        assert (trial.source, trial.number, trial.study, trial.attempt) == (str(old), None, "search", 0)
    study = with_it.state.study("search")
    assert (study.asks, study.trained, len(study.known)) == (0, 0, 5)
    assert study.best == f"old.{min(there.values(), key=lambda trial: trial.value or 9.0).id}"
    ours, fresh = (next(iter(director._history.studies)).sampler.ask(0) for director in (with_it, without))
    assert ours != fresh
    run_inline(with_it, WORKER)
    own = [t for t in with_it.trials.values() if t.number is not None and t.state not in ("refused",)]
    assert len(own) == 7
    assert not {t.parameters["sleep.folds"] for t in own} & {t.parameters["sleep.folds"] for t in taken}
    with_it.close()
    without.close()


def test_it_may_be_a_finalist(old: Path, tmp_path: Path) -> None:
    """With nothing better of its own: all of this space's settings are known."""
    space = warm(old, parameters=(Parameter("sleep.folds", Int(1, 30)),), finalists=Finalists(count=1, seeds=2))
    director = open_search(tmp_path / "x", replace(space, stop=Stop(trials=1)))
    best = director.best()
    run_inline(director, WORKER)
    assert best is not None
    finalists = [trial for trial in director.trials.values() if trial.role == "finalist"]
    if director.best() is best:
        assert [trial.id for trial in finalists] == [f"{best.id}-s{trial.seed}" for trial in finalists]
        assert all(trial.parameters == best.parameters for trial in finalists)
    assert len(finalists) == 2
    director.close()


def test_it_is_compared_at_rungs(old: Path, tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", warm(old, scheduler=EARLIER.scheduler))
    rung = round(director.rungs[0] * BUDGET)
    there = [trial.rungs[rung] for trial in director.trials.values() if rung in trial.rungs]
    assert len(there) == 5
    trial = start(director)
    director.on_progress(trial.id, progress(rung, rung=rung, value=max(there) + 1))
    assert director.trials[trial.id].must_stop
    assert director.trials[trial.id].kept[rung] == (2, 6)
    director.close()


def test_only_what_this_space_could_have_proposed_is_taken(old: Path, tmp_path: Path) -> None:
    folds = [trial.parameters["sleep.folds"] for trial in trials_of(old).values()]
    other = next(number for number in range(1, 30) if number not in folds)
    parameters = (
        Parameter("sleep.folds", Choice((folds[0], other))),
        Parameter("sleep.replay.ratio", Uniform(0.1, 0.5)),
    )
    director = open_search(tmp_path / "x", warm(old, parameters=parameters))
    (taken,) = director.trials.values()
    assert taken.parameters == {"sleep.folds": folds[0], "sleep.replay.ratio": 0.3}
    warmed = [event.data for event in read_events(tmp_path / "x" / "trials.jsonl") if event.event == "warmed"]
    assert warmed == [{"source": str(old), "adopted": 1, "elsewhere": 4}]
    director.close()


def test_each_experiment_is_taken_once(old: Path, tmp_path: Path) -> None:
    """Also if it has been removed when the search resumes; and again under another space."""
    director = open_search(tmp_path / "x", warm(old, parameters=(Parameter("sleep.folds", Choice((30,))),)))
    before = len(director.trials)
    director.close()
    kept = tmp_path / "kept"
    shutil.move(old, kept)
    open_search(tmp_path / "x", warm(old, parameters=(Parameter("sleep.folds", Choice((30,))),))).close()
    with pytest.raises(RunFolderError, match=r"old must be the folder of a search; got no experiment.yaml in it"):
        open_search(tmp_path / "x", warm(old))
    shutil.move(kept, old)
    director = open_search(tmp_path / "x", warm(old))
    assert len(director.trials) == 5 >= before
    director.close()


def test_one_setting_is_taken_from_one_experiment(old: Path, tmp_path: Path) -> None:
    search(tmp_path / "again", replace(EARLIER, name="again"))
    space = warm(old, warm_start=(str(old), str(tmp_path / "again")))
    director = open_search(tmp_path / "x", space)
    assert {trial.source for trial in director.trials.values()} == {str(old)}
    director.close()


def test_a_warm_start_cut_at_any_event_is_completed(old: Path, tmp_path: Path) -> None:
    whole = open_search(tmp_path / "x", warm(old))
    whole._held.close()
    lines = (tmp_path / "x" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(len(lines)):
        (tmp_path / "x" / "trials.jsonl").write_bytes(b"".join(lines[:kept]))
        director = open_search(tmp_path / "x", warm(old))
        assert director.trials.keys() == whole.trials.keys()
        assert director._history.studies is not whole._history.studies
        director._held.close()
        known = FoldedLog(director.space, BASE, read_events(tmp_path / "x" / "trials.jsonl"))
        assert known.state == director.state


@pytest.mark.parametrize(
    ("space", "base", "corpus", "message"),
    [
        ({}, BASE, CorpusSummary(words=99_999, samples=1_000), r"corpus.words is 100000 there and 99999 here"),
        ({}, RunConfig(training=TrainingConfig(warmup=0.1)), TOY_CORPUS, r"base.training.warmup is 0.05 there and 0.1"),
        (
            {"objective": Objective(metric="eval/pairs_accuracy", mode="max")},
            BASE,
            TOY_CORPUS,
            r"objective.metric is eval/nll there and eval/pairs_accuracy here",
        ),
    ],
)
def test_another_study_is_refused(
    space: dict[str, Any], base: RunConfig, corpus: CorpusSummary, message: str, old: Path, tmp_path: Path
) -> None:
    where = {"warm_start": "x.yaml:7", "warm_start.0": "x.yaml:8"}
    message = rf"x.yaml:8: warm_start must name experiments of the same study; in .*old, .*{message}"
    with pytest.raises(ConfigError, match=message):
        Director(warm(old, where=where, **space), base, corpus, tmp_path / "x")
    assert not (tmp_path / "x" / "trials.jsonl").read_bytes()


def test_an_option_that_either_searches_may_differ(old: Path, tmp_path: Path) -> None:
    """What the other experiment's base has there does not matter."""
    base = RunConfig(training=TrainingConfig(learning_rate=5e-4))
    rate = Parameter("training.learning_rate", Choice((5e-4, BASE.training.learning_rate)))
    director = Director(warm(old, parameters=(*EARLIER.parameters, rate)), base, TOY_CORPUS, tmp_path / "x")
    assert {trial.parameters["training.learning_rate"] for trial in director.trials.values()} == {
        BASE.training.learning_rate
    }
    director.close()


def test_two_of_one_name_and_itself_are_refused(old: Path, tmp_path: Path) -> None:
    shutil.copytree(old, tmp_path / "copy")
    with pytest.raises(ConfigError, match=r"two experiments must not have the same name; got old twice"):
        open_search(tmp_path / "x", warm(old, warm_start=(str(old), str(tmp_path / "copy"))))
    with pytest.raises(ConfigError, match=r"must name other experiments; .* is this one"):
        open_search(tmp_path / "y", warm(tmp_path / "y"))


def test_other_rungs_are_only_kept(old: Path, tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", warm(old, scheduler=Scheduler(first_rung=0.5, reduction=2)))
    assert all(trial.rungs for trial in director.trials.values())
    rung = round(director.rungs[0] * BUDGET)
    trial = start(director)
    director.on_progress(trial.id, progress(rung, rung=rung, value=99.0))
    assert not director.trials[trial.id].must_stop
    director.close()
