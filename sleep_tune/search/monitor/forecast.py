"""Forecast of a search: how much is done, and how long the rest will take.

Work is counted in budgets: a run that has seen half of its words is half a budget. The speed is that of the trials' own
reports, so an interruption of the search does not change the estimate.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from sleep_tune.experiment.search_state import MAIN, TrialState
from sleep_tune.search.decide.look_schedule import LookSchedule, current_schedule
from sleep_tune.search.decide.search_view import SearchView
from sleep_tune.search.space.arm_settings import found_first
from sleep_tune.search.space.search_space import BEST
from sleep_tune.search.space.settings import most_trials

__all__ = ["Forecast", "forecast", "gpu_hours"]

FINALISTS = "finalists"
"""Stands for the finalists beside the names of arms."""

ENOUGH_SECONDS = 10.0
"""Seconds of training, over all trials, before the time left is estimated."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The progress of a search, and what is left."""

    done: int
    """Runs that have ended, refused ones not counted."""
    total: int | None
    """Planned number of runs; None where only time or progress ends the search."""
    work_left: float | None
    """Budgets of words still to be seen; None where the total is not known."""
    seconds_left: float | None
    """Of wall clock; None before the speed is known."""
    gpu_hours_left: float | None
    controls_left: int = 0
    """Runs of controls that wait for the runs that they are matched to."""
    is_most: bool = False
    """Whether looks may end the search earlier, so that the total and what is left are the largest possible."""


def forecast(director: SearchView, slots: int) -> Forecast:
    """Return the progress of the search, and an estimate of what is left.

    A trial to come is expected to train for as many words as the trials before it did on average, and as fast.

    Args:
        director: the search.
        slots: trials that can run at a time.
    """
    runs = [trial for trial in director.trials.values() if trial.state != "refused" and not _is_earlier(trial)]
    done = sum(trial.ended for trial in runs)
    to_come = _searches_to_come(director, runs)
    if to_come is None:
        return Forecast(done, None, None, None, None)
    ended = [_share(run) for run in runs if run.role == "search" and (run.ended or run.state == "paused")]
    typical = sum(ended) / len(ended) if ended else 1.0
    looks = current_schedule(director.space, director.state)
    by_arm = _repeats_to_come(director, runs, looks)
    repeats = sum(by_arm.values())
    going = [_expected(trial, typical) for trial in runs if not trial.ended]
    is_most = looks.number is not None and looks.number < len(director.space.finalists.looks)
    controls = sum(by_arm.get(name, 0) for name, arm in director.space.arms.items() if arm.matched is not None)
    left = to_come * typical + repeats + sum(going)
    longest = max([*going, typical * (to_come > 0), _longest_repeat(director, runs, by_arm)])
    seconds = sum(trial.seconds for trial in runs)
    work = sum(_share(trial) for trial in runs)
    if seconds < ENOUGH_SECONDS or not work:
        return Forecast(done, len(runs) + to_come + repeats, left, None, None, controls, is_most)
    return Forecast(
        done,
        len(runs) + to_come + repeats,
        left,
        max(left / max(1, slots), longest) * seconds / work,
        left * gpu_hours(runs) / work,
        controls,
        is_most,
    )


def gpu_hours(trials: Iterable[TrialState]) -> float:
    """Return the GPU-hours that this search's trials have used for training and evaluation."""
    return sum(trial.gpu_seconds for trial in trials if not _is_earlier(trial)) / 3600


def _is_earlier(trial: TrialState) -> bool:
    """Return whether the trial was taken over from an earlier experiment."""
    return trial.role == "search" and trial.number is None


def _expected(trial: TrialState, typical: float) -> float:
    """Return the budgets that a run which has not ended is still expected to see."""
    share = _share(trial)
    return max(typical, share) - share if trial.role == "search" else 1.0 - share


def _share(trial: TrialState) -> float:
    """Return the share of the budget that a trial has seen, in [0, 1]."""
    if trial.repeats is not None:
        return 0.0
    if trial.state == "completed":
        return 1.0
    return trial.progress.words_seen / trial.progress.budget_words if trial.progress is not None else 0.0


def _searches_to_come(director: SearchView, runs: list[TrialState]) -> int | None:
    """Return how many trials the search and the baselines' searches will still propose; None if there is no limit."""
    space = director.space
    tuned = {name: baseline for name, baseline in space.baselines.items() if baseline.trials}
    wanted = {name: most_trials(space.subset(each.parameters), each.trials) for name, each in tuned.items()}
    if director.ended is None:
        wanted[MAIN] = most_trials(space.parameters, space.stop.trials)
    to_come = 0
    for study, trials in wanted.items():
        if trials is None:
            return None
        to_come += max(0, trials - sum(run.study == study for run in runs))
    return to_come


def _repeats_to_come(director: SearchView, runs: list[TrialState], looks: LookSchedule) -> dict[str, int]:
    """Return how many runs over fresh seeds are still to come: of each baseline and arm, and of `FINALISTS`."""
    space, search = director.space, [run for run in runs if run.study == MAIN]
    finalists, arms = space.finalists.count, [*space.baselines, *space.arms]
    if director.ended is not None and all(run.ended for run in search):
        completed = sum(run.state == "completed" and run.repeats is None for run in search)
        finalists = min(finalists, completed)
        arms = [name for name in arms if completed or found_first(space, name) != BEST]
    asked = Counter(
        FINALISTS if run.role == "finalist" else run.arm
        for run in director.trials.values()  # refused ones, too
        if run.role != "search"
    )
    best = [trial.id for trial in islice(director.state.ranking(MAIN), finalists)]
    best += [FINALISTS] * (finalists - len(best))  # to come
    planned = {FINALISTS: sum(map(looks.count_most, best))}
    for name in arms:
        parent = space.arms[name].matched if name in space.arms else None
        planned[name] = looks.count_most((best or [BEST])[0] if parent == BEST else parent or name)
    return {name: max(0, number - asked[name]) for name, number in planned.items()}


def _longest_repeat(director: SearchView, runs: list[TrialState], repeats: Mapping[str, int]) -> float:
    """Return the budgets until the last run over fresh seeds that is to come could end: controls follow their parents.

    Args:
        director: the search.
        runs: asked for so far.
        repeats: see `_repeats_to_come`.
    """
    longest = float(any(repeats.values()))
    for name, arm in director.space.arms.items():
        if arm.matched is None or not repeats.get(name):
            continue
        best = next(director.state.ranking(MAIN), None) if arm.matched == BEST else None
        parent, kind = (arm.matched, arm.matched) if best is None else (best.id, FINALISTS)
        left = [1 - _share(run) for run in runs if run.role != "search" and run.arm == parent and not run.ended]
        longest = max(longest, 1.0 + (1.0 if repeats.get(kind) else max(left, default=0.0)))
    return longest
