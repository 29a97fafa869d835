"""How much of a search is done and how long the rest may take, from what its trials have seen so far.

Counts work in budgets: a run that has seen half of its words is half a budget. Decides nothing; draws nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sleep_tune.search.space import Space
from sleep_tune.search.state import MAIN, TrialState

__all__ = ["Forecast", "Watched", "forecast", "work_done"]


class Watched(Protocol):
    """What of a director is looked at from outside."""

    @property
    def space(self) -> Space: ...  # noqa: D102
    @property
    def trials(self) -> Mapping[str, TrialState]: ...  # noqa: D102
    @property
    def ended(self) -> str | None: ...  # noqa: D102
    def best(self) -> TrialState | None: ...  # noqa: D102
    def seconds(self) -> float: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where a search stands."""

    done: int
    """Runs that have ended, refused ones not counted."""
    total: int | None
    """Runs in all, as planned; None where only time or progress ends the search."""
    work_left: float | None
    """Budgets of words still to be seen; None where the total is not known."""


def forecast(director: Watched) -> Forecast:
    """Where the search stands. A search trial to come is expected to go as far as those before it did on average."""
    runs = [trial for trial in director.trials.values() if trial.state != "refused"]
    done = sum(trial.ended for trial in runs)
    to_come = _searches_to_come(director, runs)
    if to_come is None:
        return Forecast(done, None, None)
    ended = [_share(trial) for trial in runs if trial.ended and trial.role == "search"]
    typical = sum(ended) / len(ended) if ended else 1.0
    repeats = _repeats_to_come(director, runs)
    left = to_come * typical + repeats
    for trial in runs:
        if not trial.ended:
            share = _share(trial)
            left += max(typical, share) - share if trial.role == "search" else 1.0 - share
    return Forecast(done, len(runs) + to_come + repeats, left)


def work_done(trials: Iterable[TrialState]) -> float:
    """Budgets of words seen by all trials so far; what a repeat took from another is none."""
    return sum(_share(trial) for trial in trials)


def _share(trial: TrialState) -> float:
    """Share of the budget that a trial has seen, in [0, 1]."""
    if trial.repeats is not None:
        return 0.0
    if trial.state == "completed":
        return 1.0
    return trial.progress.words_seen / trial.progress.budget_words if trial.progress is not None else 0.0


def _searches_to_come(director: Watched, runs: list[TrialState]) -> int | None:
    """Trials still to be asked for by the search and the baselines' own searches; None where no number ends it."""
    wanted = {name: baseline.trials for name, baseline in director.space.baselines.items() if baseline.trials}
    if director.ended is None:
        if director.space.stop.trials is None:
            return None
        wanted[MAIN] = director.space.stop.trials
    return sum(max(0, trials - sum(run.study == study for run in runs)) for study, trials in wanted.items())


def _repeats_to_come(director: Watched, runs: list[TrialState]) -> int:
    """Runs of baselines and finalists over fresh seeds that are still to be asked for."""
    space, search = director.space, [run for run in runs if run.study == MAIN]
    finalists = space.finalists.count
    if director.ended is not None and all(run.ended for run in search):
        finalists = min(finalists, sum(run.state == "completed" and run.repeats is None for run in search))
    planned = (len(space.baselines) + finalists) * space.finalists.seeds
    return max(0, planned - sum(run.number is None for run in runs))
