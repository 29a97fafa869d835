"""Differences over seeds that are judged look by look: p, interval and equivalence that hold whenever one looks.

Two kinds of evidence share the significance level (`Schedule`). Planned looks are judged by Student's paired t with the
bounds of a spending function (`group_sequential`); a look counts once all runs of its seeds have ended. All else, that
is tables made between two looks and seeds added after the last one, is judged by always-valid evidence over all seeds
(`always_valid`). One planned look without a reserve is the paired t test of `fixed_sample`.

Both are exact for normal differences and hold for any way of stopping that looks only at what is in the table. Skewed
differences mislead them as they mislead the t test of a fixed number of seeds.

The order of seeds is that of the study and is fixed before a value is seen. Sorting by value or by when a run ended
invalidates p. A seed whose run was lost and trained again belongs to the first look that counts it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

from sleep_tune.statistics.always_valid import log_evidence, log_sign_evidence, t_bound
from sleep_tune.statistics.fixed_sample import ROUNDING, Difference, is_constant, mean_difference, worst_rank_p
from sleep_tune.statistics.group_sequential import PlannedLaw, planned_law
from sleep_tune.statistics.schedule import Schedule

__all__ = [
    "Evidence",
    "checked",
    "needs_ranks",
    "rank_p",
    "sequential_difference",
    "sequential_equivalence",
    "tested_looks",
]

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a study shows of one difference so far."""

    difference: Difference
    """Mean and interval at present, and the smallest p so far, which is compared with `Schedule.level`.

    The interval is a repeated confidence interval (Jennison and Turnbull 1989): intervals of all looks together cover
    the true difference with chance 1 - LEVEL. It and the mean are over `difference.count` seeds, those of the last
    complete look or all seeds, whichever gives the narrower interval.
    """
    look: int | None
    """Planned look, from 1, at which p had its smallest value; None if it was between two looks or after the last."""


def sequential_difference(
    outcomes: ArrayLike,
    looks: Sequence[int],
    schedule: Schedule,
    complete: int,
    *,
    settled: int | None = None,
    scale: float = 0.0,
    better: int = 1,
    tests: int = 1,
) -> Evidence:
    """Return p and interval of the mean of paired differences, of which more are added while one looks.

    p is valid at every level at once: at each level the bounds of the looks are those of that level, and p is the
    smallest level at which some look decides. It can therefore go through Holm's correction (Maurer and Bretz 2013).
    With one complete look and no growth it is Student's paired t.

    Where one of two runs diverged, a look decides only if worst ranks (`worst_rank_p`) also do with the share of the
    level that this look adds; growth decides only if the signs alone do so too, with diverged runs counted as losses.

    Args:
        outcomes: (n,) treated - reference in the study's order of seeds; infinite where one of the two diverged, with
            the sign of a worst value. Seeds at which both diverged or a run was lost are omitted. Not all infinite.
        looks: (n,) the look to which each seed belongs, from 1, not decreasing; greater than the planned number of
            looks for seeds added after them.
        schedule: the planned looks.
        complete: number of planned looks of which all runs have ended.
        settled: number of leading outcomes before the first seed of which a run has not ended; only these count
            outside complete looks. All by default.
        scale: size of the values that were subtracted, to tell equal differences from rounding.
        better: sign of an improvement, 1 or -1; matters only where runs diverged.
        tests: number of tests over which a Bonferroni-corrected interval is to hold.

    Raises:
        ValueError: shapes, numbers or values out of range.
    """
    array, numbers = checked(outcomes, looks, schedule, complete)
    values = array[np.isfinite(array)]
    scale = max(scale, float(np.abs(values).max()))
    present = mean_difference(values, scale)
    if values.size == 1 or present.is_untested:
        return Evidence(present, None)
    tested, law = tested_looks(array, numbers, schedule, complete)
    found: list[tuple[float, int | None]] = [(1.0, None)]
    intervals = []
    for place, (number, seen) in enumerate(tested):
        made = mean_difference(seen[np.isfinite(seen)], scale)
        p = law.p(place, made.p or 0.0)
        if needs_ranks(seen, better):
            p = max(p, rank_p(seen) / law.increments[place])
        found.append((p, number))
        if number == tested[-1][0] and made.error:
            nominal = law.nominal(place, schedule.level / tests)
            intervals.append(_interval(made, float(stdtrit(made.count - 1, 1 - nominal / 2))))
    if schedule.reserve:
        leading = array[:settled]
        found.append((_growth_p(leading, _first(tested), scale, better) * schedule.level / schedule.growth_level, None))
        settled_values = leading[np.isfinite(leading)]
        made = mean_difference(settled_values, scale) if settled_values.size else present
        if settled_values.size and made.error:
            intervals.append(_interval(made, t_bound(made.count, schedule.growth_level / tests)))
    p, look = min(found, key=lambda pair: pair[0])
    known = [interval for interval in intervals if interval.low is not None]
    return Evidence(replace(min(known, key=_width, default=replace(present, low=None, high=None)), p=p), look)


def sequential_equivalence(
    differences: ArrayLike,
    looks: Sequence[int],
    schedule: Schedule,
    complete: int,
    margin: float,
    *,
    settled: int | None = None,
    scale: float = 0.0,
) -> float | None:
    """Return p of the claim that the true difference is within `margin` on either side, as more seeds are added.

    Two one-sided tests (Schuirmann 1987), each with the bounds of `sequential_difference` at twice its level; so it
    exceeds its level by less than a thousandth, the chance of crossing bounds on both sides. With one complete look and
    no growth it is `fixed_sample.equivalence_p`.

    Args:
        differences: see `sequential_difference`; infinite ones are within no margin.
        looks: the same.
        schedule: the same.
        complete: the same.
        margin: above 0, in the unit of the differences; chosen before the first run.
        settled: the same.
        scale: the same.

    Returns:
        To be compared with `Schedule.level`; None for a single pair.

    Raises:
        ValueError: a margin that is not above 0, and as `sequential_difference`.
    """
    if not margin > 0:
        raise ValueError(f"the smallest difference of interest must be above 0; got {margin}")
    array, numbers = checked(differences, looks, schedule, complete)
    if array.size == 1:
        return None
    if not np.isfinite(array).all():
        return 1.0
    scale = max(scale, float(np.abs(array).max()))
    if is_constant(array, scale):
        return 1.0
    tested, law = tested_looks(array, numbers, schedule, complete)
    found = [1.0]
    for place, (_, seen) in enumerate(tested):
        made = mean_difference(seen, scale)
        if made.error:
            alone = float(stdtr(made.count - 1, -(margin - abs(made.mean)) / made.error))
            found.append(max(alone, law.p(place, min(1.0, 2 * alone)) / 2))
    if schedule.reserve:
        leading = array[:settled]
        running = np.cumsum(leading) / np.arange(1, leading.size + 1)
        evidence = np.minimum(log_evidence(leading, margin), log_evidence(leading, -margin))
        counts = (np.abs(running) < margin) & (np.arange(leading.size) >= _first(tested))
        reached = float(evidence[counts].max(initial=0.0))
        found.append(math.exp(-reached) * schedule.level / schedule.growth_level)
    return min(found)


def checked(
    outcomes: ArrayLike, looks: Sequence[int], schedule: Schedule, complete: int
) -> tuple[Reals, NDArray[np.int64]]:
    """Return the outcomes and the looks of their seeds as vectors."""
    array, numbers = np.asarray(outcomes, dtype=np.float64), np.asarray(looks, dtype=np.int64)
    if array.ndim != 1 or not np.isfinite(array).any() or np.isnan(array).any():
        raise ValueError(f"expected differences in one dimension, at least one of them finite; got {outcomes!r}")
    if numbers.shape != array.shape or (np.diff(numbers) < 0).any() or numbers[0] < 1:
        raise ValueError(f"expected the look of each of {array.size} seeds, from 1, not decreasing; got {looks!r}")
    if not 0 <= complete <= len(schedule.looks):
        raise ValueError(f"complete must be in [0, {len(schedule.looks)}]; got {complete}")
    return array, numbers


def tested_looks(
    array: Reals, numbers: NDArray[np.int64], schedule: Schedule, complete: int
) -> tuple[list[tuple[int, Reals]], PlannedLaw]:
    """Return (number, outcomes of all seeds so far) of each complete look that can be tested, and the law of these.

    A look at which an arm has fewer than two differences, or no new one, is left out, and the next adds its share of
    the level to its own.
    """
    tested: list[tuple[int, Reals]] = []
    counts: list[int] = []
    increments: list[float] = []
    for number in range(1, complete + 1):
        seen = array[numbers <= number]
        count = int(np.isfinite(seen).sum())
        if count >= 2 and count > max(counts, default=0):
            tested.append((number, seen))
            counts.append(count)
            increments.append(schedule.spent[number - 1] - sum(increments))
    return tested, planned_law(tuple(counts), tuple(increments))


def _first(tested: Sequence[tuple[int, Reals]]) -> int:
    """Return the seeds up to the first complete look, up to which always-valid evidence adds nothing to the looks.

    So the p of a single look is that of the t test, to the digit. Before that look is complete, every seed counts.
    """
    return tested[0][1].size if tested else 0


def _interval(made: Difference, bound: float) -> Difference:
    """Return a difference with the interval of all means within `bound` standard errors; none where it is infinite."""
    half = bound * (made.error or 0.0)
    if not math.isfinite(half):
        return replace(made, low=None, high=None)
    return replace(made, low=made.mean - half, high=made.mean + half)


def _width(made: Difference) -> float:
    """Return the width of an interval."""
    return (made.high or 0.0) - (made.low or 0.0)


def needs_ranks(seen: Reals, better: int) -> bool:
    """Return whether diverged seeds could change the claim.

    They do not where all of them are the treated arm's and its surviving seeds are worse as well: then the survivors'
    p counts, since ranks of few seeds have no power to show it.
    """
    infinite = np.isinf(seen)
    won = bool((seen[infinite] * better > 0).any())
    return bool(infinite.any()) and (won or float(seen[~infinite].mean()) * better >= 0)


def rank_p(seen: Reals) -> float:
    """Return p of signed ranks in which infinite outcomes are the largest."""
    return worst_rank_p(seen[np.isfinite(seen)], int(np.isneginf(seen).sum()), int(np.isposinf(seen).sum()))


def _growth_p(leading: Reals, first: int, scale: float, better: int) -> float:
    """Return the smallest always-valid p after any number of leading seeds above `first`."""
    finite = np.isfinite(leading)
    values = leading[finite]
    if not values.size:
        return 1.0
    vary = np.maximum.accumulate(values) - np.minimum.accumulate(values) > ROUNDING * scale
    by_value = np.concatenate([[0.0], np.where(vary, log_evidence(values), 0.0)])
    evidence = by_value[np.cumsum(finite)]
    if not finite.all():
        signs = log_sign_evidence(leading)
        for seeds in range(first + 1, leading.size + 1):
            seen = leading[:seeds]
            if evidence[seeds - 1] > 0 and needs_ranks(seen, better):
                agrees = float(np.sign(seen).sum()) * float(seen[finite[:seeds]].mean()) > 0
                evidence[seeds - 1] = min(evidence[seeds - 1], signs[seeds - 1]) if agrees else 0.0
    return math.exp(-float(evidence[first:].max(initial=0.0)))
