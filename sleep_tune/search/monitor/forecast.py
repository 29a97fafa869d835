"""How much of a search is done and how long the rest may take, from what its trials have seen so far.

Counts work in budgets: a run that has seen half of its words is half a budget. Needs no clock: how fast trials are is
what they report, so that a search that went on after a week is forecast as well as one that was never interrupted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sleep_tune.experiment.search_state import MAIN, TrialState
from sleep_tune.search.space.search_space import Space

__all__ = ["Forecast", "Watched", "forecast", "gpu_hours"]

ENOUGH_SECONDS = 10.0
"""Seconds of training, over all trials, before any time left is told."""


class Watched(Protocol):
    """What of a director is looked at from outside."""

    @property
    def space(self) -> Space: ...  # noqa: D102
    @property
    def trials(self) -> Mapping[str, TrialState]: ...  # noqa: D102
    @property
    def ended(self) -> str | None: ...  # noqa: D102
    @property
    def finished(self) -> bool: ...  # noqa: D102
    @property
    def held(self) -> str | None: ...  # noqa: D102
    @property
    def changes(self) -> Sequence[str]: ...  # noqa: D102
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
    seconds_left: float | None
    """Of wall clock; None before anything is known of the speed."""
    gpu_hours_left: float | None


def forecast(director: Watched, slots: int) -> Forecast:
    """Where the search stands.

    A search trial to come is expected to go as far as those before it did on average, every run to be as fast as those
    before it, and every slot to be busy while there is more than one run for each.

    Args:
        director: what is looked at.
        slots: trials that can run at a time.
    """
    runs = [trial for trial in director.trials.values() if trial.state != "refused" and not _is_earlier(trial)]
    done = sum(trial.ended for trial in runs)
    to_come = _searches_to_come(director, runs)
    if to_come is None:
        return Forecast(done, None, None, None, None)
    ended = [_share(trial) for trial in runs if trial.ended and trial.role == "search"]
    typical = sum(ended) / len(ended) if ended else 1.0
    repeats = _repeats_to_come(director, runs)
    going = [_expected(trial, typical) for trial in runs if not trial.ended]
    left = to_come * typical + repeats + sum(going)
    longest = max([*going, typical * (to_come > 0), 1.0 * (repeats > 0)])
    seconds = sum(trial.seconds for trial in runs)
    work = sum(_share(trial) for trial in runs)
    if seconds < ENOUGH_SECONDS or not work:
        return Forecast(done, len(runs) + to_come + repeats, left, None, None)
    return Forecast(
        done,
        len(runs) + to_come + repeats,
        left,
        max(left / max(1, slots), longest) * seconds / work,
        left * gpu_hours(runs) / work,
    )


def gpu_hours(trials: Iterable[TrialState]) -> float:
    """GPU-hours that this search's trials have held for training and evaluation."""
    return sum(trial.gpu_seconds for trial in trials if not _is_earlier(trial)) / 3600


def _is_earlier(trial: TrialState) -> bool:
    """Whether it was trained by another experiment that this one started from: no ask of this one's has its number."""
    return trial.role == "search" and trial.number is None


def _expected(trial: TrialState, typical: float) -> float:
    """Budgets that a run which has not ended is still expected to see."""
    share = _share(trial)
    return max(typical, share) - share if trial.role == "search" else 1.0 - share


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
    return max(0, planned - sum(run.role != "search" for run in runs))
