"""A small study, and what its searches decide; shared by the tests of the search."""

from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.search_state import TrialState
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.search.decide.assignments import Trial, Worker
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Finalists,
    Int,
    Parameter,
    Scheduler,
    Search,
    Space,
    Stop,
    Uniform,
)
from tests.made import make_outcome, make_progress

BASE = RunConfig()
WORKER = FakeWorker(heartbeats=1)
BUDGET = 10 * TOY_CORPUS.words


def study(**more: Any) -> Space:
    """Conditional parameters, settings that the budget refuses, a tuned baseline, finalists: a bit of everything."""
    parts: dict[str, Any] = {
        "name": "small",
        "parameters": (
            Parameter("sleep.replay.strategy", Choice(("strict", "random"))),
            Parameter("sleep.replay.ratio", Uniform(0.1, 0.9), {"sleep.replay.strategy": ("strict",)}),
            Parameter("sleep.folds", Choice((5, 20))),
            Parameter("training.batch_size", Choice((32, 128))),
            Parameter("training.learning_rate", Choice((1e-3, 0.1, 1e-4))),
        ),
        "search": Search(seed=1, startup=3),
        "stop": Stop(trials=7),
        "scheduler": Scheduler(first_rung=0.1, reduction=3),
        "baselines": {"epochs": Baseline(trials=3, parameters=("training.learning_rate",)), "as_epochs": Baseline()},
        "finalists": Finalists(count=2, seeds=2),
    }
    return Space(**(parts | more))


def start(director: Director) -> Trial:
    """What to train next, which there must be."""
    trial = director.next()
    assert isinstance(trial, Trial)
    return trial


def plain(**more: Any) -> Space:
    """One parameter, no baselines, no finalists."""
    parts: dict[str, Any] = {
        "parameters": (Parameter("sleep.folds", Int(1, 30)),),
        "baselines": {},
        "finalists": Finalists(count=0, seeds=1),
    }
    return study(**(parts | more))


def open_search(folder: Path, space: Space | None = None, **more: Any) -> Director:
    """A director over the toy corpus."""
    return Director(space or study(), BASE, TOY_CORPUS, folder, **more)


def search(folder: Path, space: Space | None = None, worker: FakeWorker = WORKER, **more: Any) -> dict[str, Any]:
    """Open a search, run it to its end in this process, and return what was decided."""
    director = open_search(folder, space, **more)
    try:
        run_inline(director, worker)
        return decisions(director)
    finally:
        director.close()


def decisions(director: Director) -> dict[str, Any]:
    """All that was decided, without when, or in how many attempts."""
    return {name: _decided(trial) for name, trial in director.trials.items()}


def _decided(trial: TrialState) -> tuple[Any, ...]:
    what = (trial.role, trial.arm, trial.seed, trial.study, trial.number, trial.group, trial.parameters)
    return (*what, trial.state, trial.kind, repr(trial.value), repr(trial.rungs), trial.decisions, trial.repeats)


def progress(words: int, *, rung: int | None = None, value: float = 3.0) -> Progress:
    """A report."""
    return make_progress(words, BUDGET, rung=rung, metrics={} if rung is None else {"eval/nll": value})


def outcome(state: str, value: float) -> Outcome:
    """The end of a run."""
    return make_outcome(state, seconds=3600.0, metrics={"eval/nll": value})


class Killed(BaseException):
    """Stands for a kill: no code of the package catches it."""


def killed_after(reports: int, worker: FakeWorker = WORKER) -> Worker:
    """A worker that dies, with the whole process, before its n-th report (over all its trials)."""
    left = [reports]

    def work(config: RunConfig, report: Report) -> Outcome:
        def counted(progress: Progress) -> Decision:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return report(progress)

        return worker(config, counted)

    return work
