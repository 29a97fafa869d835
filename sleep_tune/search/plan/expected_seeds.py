"""How many seeds arms are expected to get where seeds are added look by look, by simulation of the looks themselves.

Runs have normal noise of equal variance, and each arm is compared with the reference at the same seeds. An arm is
decided as `results.look_judge` decides it: by the sequential p after Holm's correction, by equivalence if the study
names a smallest difference, and by conditional power. That depends on the number of arms that are not significant yet,
which is rounded up to a power of 2 here. All differences are in standard deviations of a paired difference.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr

from sleep_tune.statistics.bisection import find_crossing
from sleep_tune.statistics.conditional_power import FUTILE, conditional_power
from sleep_tune.statistics.fixed_sample import POWER
from sleep_tune.statistics.group_sequential import planned_law
from sleep_tune.statistics.schedule import Schedule

__all__ = ["ExpectedSeeds", "expected_seeds", "findable_difference"]

Reals = NDArray[np.float64]

VALUES = 500_000
"""Differences that are drawn at most, unless the fewest studies need more."""

MOST_STUDIES, FEWEST_STUDIES = 1_000, 50

TS = np.arange(0.0, 8.1, 0.5)
"""Values of |t| at which the conditional power is computed; between them it is interpolated."""


@dataclass(frozen=True, slots=True)
class ExpectedSeeds:
    """Expected numbers of seeds of a study with planned looks."""

    arms: tuple[float, ...]
    """Mean number of seeds of each compared arm."""
    reference: float
    """Mean number of seeds of the reference, which gets seeds while any arm is undecided."""
    found: tuple[float, ...]
    """Chance that each arm's difference is significant in the end."""


def expected_seeds(schedule: Schedule, effects: Sequence[float], margin: float | None = None) -> ExpectedSeeds:
    """Return the expected numbers of seeds; the same each time.

    Args:
        schedule: the planned looks.
        effects: (A,) true difference of each compared arm from the reference, at least one.
        margin: the smallest difference of interest, above 0; None without one.
    """
    looks, level, num_arms = schedule.looks, schedule.level, len(effects)
    mean_SAK, deviation_SAK = _draw(looks, np.array(effects))
    counts_K = np.array(looks)
    error_SAK = deviation_SAK / np.sqrt(counts_K)
    p_SAK = 2 * stdtr(counts_K - 1, -np.abs(mean_SAK) / error_SAK)
    bounds_KA = _bounds(schedule, level, num_arms)
    seeds_SA = np.full(mean_SAK.shape[:2], float(looks[-1]))
    going_SA = np.ones(mean_SAK.shape[:2], dtype=bool)
    differs_SAJ, equals_SAJ = np.zeros((2, *mean_SAK.shape[:2], num_arms), dtype=bool)
    found_SA = np.zeros_like(going_SA)
    for look, count in enumerate(looks):
        differs_SAJ |= going_SA[..., None] & (p_SAK[..., look, None] < bounds_KA[look])
        found_SA |= _holm(differs_SAJ)
        decided_SA = found_SA.copy()
        if margin is not None:
            alone_SA = stdtr(count - 1, (np.abs(mean_SAK[..., look]) - margin) / error_SAK[..., look])
            bounds_A = _bounds(schedule, 2 * level, num_arms)[look] / 2
            equals_SAJ |= going_SA[..., None] & (alone_SA[..., None] < bounds_A)
            decided_SA |= _holm(equals_SAJ)
        if look + 1 < len(looks):
            t_SA = np.abs(mean_SAK[..., look]) / error_SAK[..., look]
            open_S = np.maximum(1, num_arms - found_SA.sum(axis=1))
            tests_S = np.minimum(num_arms, 2 ** np.ceil(np.log2(open_S)).astype(int))
            for tests in np.unique(tests_S).tolist():
                power_SA = np.interp(t_SA, TS, _power_left(schedule, look, tests, margin))
                decided_SA |= (tests_S == tests)[:, None] & (power_SA < FUTILE)
        seeds_SA[going_SA & decided_SA] = count
        going_SA &= ~decided_SA
    return ExpectedSeeds(
        arms=tuple(seeds_SA.mean(axis=0).tolist()),
        reference=float(seeds_SA.max(axis=1).mean()),
        found=tuple(found_SA.mean(axis=0).tolist()),
    )


@functools.lru_cache(maxsize=64)
def findable_difference(schedule: Schedule, num_arms: int) -> float:
    """Return the difference that is significant in the end with chance `POWER`, if all arms have it.

    Args:
        schedule: the planned looks.
        num_arms: compared arms, at least 1.
    """

    def found(effect: float) -> float:
        return float(np.mean(expected_seeds(schedule, [effect] * num_arms).found))

    low, high = 0.0, 1.0
    while found(high) < POWER:
        low, high = high, 2 * high
    return find_crossing(found, POWER, low, high, exact=0.005)


def _draw(looks: Sequence[int], effects_A: Reals) -> tuple[Reals, Reals]:
    """Return (S, A, K) means and standard deviations of paired differences at each look, of S studies."""
    size = (len(effects_A) + 1) * looks[-1]
    studies = max(FEWEST_STUDIES, min(MOST_STUDIES, VALUES // size))
    run_SAN = np.random.default_rng(0).normal(0, np.sqrt(0.5), (studies, len(effects_A) + 1, looks[-1]))
    difference_SAN = run_SAN[:, 1:] - run_SAN[:, :1] + effects_A[:, None]
    return (
        np.stack([difference_SAN[..., :count].mean(axis=-1) for count in looks], axis=-1),
        np.stack([difference_SAN[..., :count].std(axis=-1, ddof=1) for count in looks], axis=-1),
    )


@functools.lru_cache(maxsize=64)
def _bounds(schedule: Schedule, level: float, num_arms: int) -> Reals:
    """Return (K, A) the p of a single t test below which each look decides, at level / 1, level / 2, ... level / A."""
    law = planned_law(schedule.looks, schedule.increments)
    levels = [level / tests for tests in range(1, num_arms + 1)]
    return np.array([[law.nominal(look, one) for one in levels] for look in range(len(law.increments))])


def _holm(below_SAJ: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (S, A) the hypotheses that Holm's procedure rejects, given whether each p is below level / (J + 1)."""
    num_arms = below_SAJ.shape[1]
    counts_SJ = below_SAJ.sum(axis=1)[:, ::-1]  # at level / A first
    goes_on_SJ = np.logical_and.accumulate(counts_SJ > np.arange(num_arms), axis=1)
    rejected_S = goes_on_SJ.sum(axis=1)
    last_S = num_arms - np.maximum(rejected_S, 1)  # the level of the last rejection
    return np.asarray((rejected_S > 0)[:, None] & below_SAJ[np.arange(len(last_S)), :, last_S])


@functools.lru_cache(maxsize=64)
def _power_left(schedule: Schedule, look: int, tests: int, margin: float | None) -> Reals:
    """Return the conditional power after a look for each |t| of `TS`, where the standard deviation is the true one."""
    count = schedule.looks[look]
    centred = np.arange(count) - (count - 1) / 2
    standard = centred / centred.std(ddof=1)
    numbers = np.searchsorted(schedule.looks, np.arange(count), side="right") + 1
    return np.array(
        [
            conditional_power(
                standard + t / np.sqrt(count), numbers.tolist(), schedule, look + 1, margin=margin, tests=tests
            )
            for t in TS
        ]
    )
