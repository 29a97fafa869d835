"""Conditional power: the chance that a later planned look decides, given the differences so far.

An arm for which it is small is not worth more seeds. The rule is non-binding: p is valid whether or not it is followed.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

from sleep_tune.statistics.fixed_sample import mean_difference
from sleep_tune.statistics.group_sequential import planned_law
from sleep_tune.statistics.schedule import Schedule
from sleep_tune.statistics.sequential import checked, needs_ranks, rank_p, tested_looks

__all__ = ["FUTILE", "conditional_power"]

FUTILE = 0.1
"""Conditional power below which an arm gets no more seeds."""

DRAWS = 2000


def conditional_power(
    outcomes: ArrayLike,
    looks: Sequence[int],
    schedule: Schedule,
    complete: int,
    *,
    margin: float | None = None,
    scale: float = 0.0,
    better: int = 1,
    tests: int = 1,
) -> float:
    """Return the chance that a later planned look finds a difference, or equivalence, if no more run is lost.

    The true difference and the scatter are not known, so the chance is averaged over what the seeds so far say of them
    (predictive power, Spiegelhalter et al. 1986, Controlled Clinical Trials 7:8), with normal differences and flat
    priors on the mean and on the logarithm of the standard deviation. 2,000 draws, the same each time.

    Args:
        outcomes: see `sequential_difference`.
        looks: the same; seeds after the planned looks are not used.
        schedule: the same.
        complete: number of planned looks of which all runs have ended; the others are to come.
        margin: smallest difference of interest, above 0, if the study has one: then equivalence decides as well.
        scale: the same.
        better: the same.
        tests: number of tests of Holm's family; the smallest p must be below level / tests.

    Returns:
        In [0, 1]; 0 after the last planned look, 1 while nothing is known of the scatter.

    Raises:
        ValueError: as `sequential_difference`.
    """
    array, numbers = checked(outcomes, looks, schedule, complete)
    if complete == len(schedule.looks):
        return 0.0
    seen = array[numbers <= complete]
    values = seen[np.isfinite(seen)]
    scale = max(scale, float(np.abs(values).max(initial=0.0)))
    made = mean_difference(values, scale) if values.size else None
    if made is None or not made.error or made.freedom is None:
        return 1.0
    _, law = tested_looks(array, numbers, schedule, complete)
    later = range(complete, len(schedule.looks))
    added = [schedule.looks[look] - (schedule.looks[complete - 1] if complete else 0) for look in later]
    counts = (*law.counts, *(values.size + count for count in added))
    spent = (sum(law.increments), *(schedule.spent[look] for look in later))
    law = planned_law(counts, (*law.increments, *np.diff(spent).tolist()))
    rng = np.random.default_rng(0)
    deviation_D = np.sqrt(made.freedom * values.var(ddof=1) / rng.chisquare(made.freedom, DRAWS))
    mean_D = made.mean + deviation_D * rng.standard_normal(DRAWS) / np.sqrt(values.size)
    future_DN = mean_D[:, None] + deviation_D[:, None] * rng.standard_normal((DRAWS, added[-1]))
    decided_D = np.zeros(DRAWS, dtype=bool)
    level = schedule.level / tests
    for place, new in enumerate(added, len(law.counts) - len(added)):
        all_DN = np.concatenate([np.broadcast_to(values, (DRAWS, values.size)), future_DN[:, :new]], axis=1)
        freedom = law.counts[place] - 1
        error_D = all_DN.std(axis=1, ddof=1) / np.sqrt(freedom + 1)
        distance_D = np.abs(all_DN.mean(axis=1))
        if not needs_ranks(seen, better) or _can_win(seen, new, level * law.increments[place]):
            decided_D |= 2 * stdtr(freedom, -distance_D / error_D) < law.nominal(place, level)
        if margin is not None and values.size == seen.size:
            decided_D |= 2 * stdtr(freedom, (distance_D - margin) / error_D) < law.nominal(place, 2 * level)
    return float(decided_D.mean())


def _can_win(seen: NDArray[np.float64], new: int, level: float) -> bool:
    """Return whether worst ranks could decide if `new` more seeds all had large differences of the survivors' sign."""
    values = seen[np.isfinite(seen)]
    best = np.sign(values.mean()) * (np.abs(values).max() + np.arange(1.0, new + 1))
    return rank_p(np.concatenate([seen, best])) < level
