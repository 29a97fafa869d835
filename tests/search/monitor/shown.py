"""A small study, reports of its runs, and consoles that keep what is drawn: shared by the tests of what is shown."""

import io
from typing import Any

from rich.console import Console, RenderableType

from sleep_tune.records import Progress
from sleep_tune.search.decide.assignments import Trial
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.space.search_space import Baseline, Choice, Finalists, Parameter, Space, Stop, Uniform
from tests.made import make_progress

BUDGET = 10 * TOY_CORPUS.words


def study(**more: Any) -> Space:
    """Four trials, two baselines and one finalist over two seeds: ten runs."""
    parts: dict[str, Any] = {
        "name": "demo",
        "parameters": (
            Parameter("sleep.folds", Choice((5, 10, 20))),
            Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)),
        ),
        "stop": Stop(trials=4),
        "baselines": {"epochs": Baseline(), "as_epochs": Baseline()},
        "finalists": Finalists(count=1, seeds=2),
    }
    return Space(**(parts | more))


class Clock:
    """A clock that moves only when it is advanced."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds, as a monotonic clock has them."""
        return self.now


def console(width: int = 100, terminal: bool = False) -> Console:
    """One that keeps what is drawn."""
    return Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None, legacy_windows=False)


def text_of(shown: Console) -> str:
    """What was drawn."""
    assert isinstance(shown.file, io.StringIO)
    return shown.file.getvalue()


def drawn(part: RenderableType, width: int = 100) -> str:
    """A part as text."""
    shown = console(width)
    shown.print(part)
    return text_of(shown)


def started(director: Director) -> Trial:
    """The next trial, which there must be."""
    trial = director.next()
    assert isinstance(trial, Trial)
    return trial


def at(words: int, rung: int | None = None, **metrics: float) -> Progress:
    """A report."""
    return make_progress(words, BUDGET, cycle=2, fold=2, rung=rung, metrics=metrics)
