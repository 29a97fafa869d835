"""Intervals and tests over seeds: Student's t, sign flips, signed ranks with diverged seeds last, equivalence, Holm.

Arrays in, frozen numbers out. Knows nothing of trials, arms or folders. The unit of replication is the seed: a run
repeated over fresh seeds speaks about the training recipe, one run speaks about one checkpoint.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import nctdtrinc, stdtr, stdtrit
from scipy.stats import rankdata

__all__ = ["CONFIDENCE", "POWER", "Difference", "Estimate", "detectable_difference", "equivalence_p", "estimate_mean"]
__all__ += [
    "fewest_seeds",
    "holm",
    "is_constant",
    "paired_difference",
    "sign_flip_p",
    "untested_difference",
    "worst_rank_p",
]

CONFIDENCE = 0.95
"""Coverage of every interval unless told otherwise."""

POWER = 0.8
"""A difference counts as within a table's reach where so many of such tables would tell it."""

ROUNDING = 1e-12
"""Spread below this share of the values' size is rounding, not spread."""

EXACT_SEEDS = 14
"""Up to so many seeds each of the 2^n flips of signs is tried; beyond, `FLIPS` of them are drawn."""

FLIPS = 20_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its interval; no interval (None) from a single value."""

    mean: float
    low: float | None
    high: float | None
    count: int
    """Seeds that the mean is over."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of paired differences with its interval and two-sided p.

    Neither (None) from a single pair. Where every seed differs by the same amount there is no interval, and p is 1.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    count: int
    """Pairs, one per shared seed."""
    error: float | None = None
    """Standard error of the mean."""
    freedom: float | None = None
    """Degrees of freedom of that error: those of the t law that the interval and p come from."""

    @property
    def is_untested(self) -> bool:
        """Whether there are several pairs, and they did not vary."""
        return self.count > 1 and self.error is None


def estimate_mean(values: ArrayLike, confidence: float = CONFIDENCE) -> Estimate:
    """Mean and Student-t interval: mean ± t(confidence, n - 1) s / sqrt(n).

    Values that are all equal give an interval of no width: the formula's own answer, not a claim of certainty.

    Args:
        values: shape (n,), n >= 1, finite; one value a seed.
        confidence: coverage of the interval, in (0, 1).

    Raises:
        ValueError: no value, a value that is not finite, or a confidence outside (0, 1).
    """
    array = _checked(values, confidence)
    mean, half = float(array.mean()), _half_width(array, confidence)
    if half is None:
        return Estimate(mean, None, None, array.size)
    return Estimate(mean, mean - half, mean + half, array.size)


def paired_difference(treated: ArrayLike, reference: ArrayLike, confidence: float = CONFIDENCE) -> Difference:
    """Mean of treated - reference over shared seeds, its t interval, and the p of the paired t test.

    Where the differences have no spread, they are not tested (see `untested`).

    Args:
        treated: shape (n,), n >= 1, finite; entry i and entry i of `reference` share a seed.
        reference: shape (n,), finite.
        confidence: coverage of the interval, in (0, 1).

    Raises:
        ValueError: shapes that differ, no pair, a value that is not finite, or a confidence outside (0, 1).
    """
    first, second = _checked(treated, confidence), _checked(reference, confidence)
    if first.shape != second.shape:
        raise ValueError(f"paired values must come in pairs; got {first.size} and {second.size}")
    differences = first - second
    mean, half = float(differences.mean()), _half_width(differences, confidence)
    if half is None:
        return Difference(mean, None, None, None, differences.size)
    if is_constant(differences, float(np.abs(first).max() + np.abs(second).max())):
        return untested_difference(mean, differences.size)
    error = _standard_error(differences)
    p = float(2 * stdtr(differences.size - 1, -abs(mean / error)))
    return Difference(mean, mean - half, mean + half, p, differences.size, error, differences.size - 1.0)


def untested_difference(mean: float, count: int) -> Difference:
    """The difference of pairs that all differ by the same amount: no interval, and p = 1.

    How far seeds scatter is what every test here measures the mean by, and such pairs do not show it. They come from
    runs that were scored twice, or from scores so coarse that few values are possible: neither is evidence. Other
    answers claim too much: t is infinite; the sign-flip test gives 2 / 2^n, so that eight copies of one pair of models
    would prove a difference; the items' scatter alone speaks of two models, not of two recipes, and claimed a
    difference in 131 of 290 tables in which there was none. A p of 1 stays in Holm's family, which the numbers
    themselves must not make smaller.
    """
    return Difference(mean, None, None, 1.0, count)


def is_constant(differences: NDArray[np.float64], scale: float) -> bool:
    """Whether differences of values as large as `scale` are all the same but for rounding."""
    return bool(np.ptp(differences) <= ROUNDING * scale)


def sign_flip_p(differences: ArrayLike, rng: np.random.Generator | None = None) -> float:
    """Two-sided p of the paired permutation test: under no difference, either arm may bear either name.

    Exact up to `EXACT_SEEDS` seeds. It assumes nothing else, and can never be below 2 / 2^n: five seeds cannot reach
    0.05 by it.

    Args:
        differences: shape (n,), n >= 1, finite; one a seed.
        rng: draws flips beyond `EXACT_SEEDS` seeds; seeded with 0 unless given.
    """
    array = _checked(differences, CONFIDENCE)
    if array.size <= EXACT_SEEDS:
        signs = np.array(list(product((1.0, -1.0), repeat=array.size)))
    else:
        draws = rng if rng is not None else np.random.default_rng(0)
        signs = np.concatenate([np.ones((1, array.size)), draws.choice((1.0, -1.0), size=(FLIPS - 1, array.size))])
    flipped = np.abs(signs @ array)
    return float((flipped >= flipped[0] - ROUNDING * np.abs(array).sum()).mean())


def worst_rank_p(differences: ArrayLike, lost: int, won: int = 0) -> float:
    """Two-sided p of Wilcoxon's signed-rank test in which a run that diverged ranks below every run that did not.

    Seeds that only one of two arms survived count as the largest differences, for the arm that survived. Dropping them
    instead would compare the survivors, who are not a sample of what the recipe does. The test is of the direction in
    which the survivors differ on average: where the diverged seeds point the other way, they weaken that finding.
    Exact, with mean ranks for ties; zeros count for neither side.

    Args:
        differences: shape (n,), n >= 1, finite; treated - reference at the seeds that both survived, in a measure of
            which more is better.
        lost: seeds at which only the treated arm diverged.
        won: seeds at which only the reference diverged.
    """
    array = _checked(differences, CONFIDENCE)
    mean = float(array.mean())
    if mean == 0:
        return 1.0
    known = array[array != 0]
    ranks = np.concatenate([rankdata(np.abs(known)), np.full(lost + won, known.size + (lost + won + 1) / 2)])
    agrees = np.concatenate([np.sign(known) == np.sign(mean), np.repeat([mean < 0, mean > 0], [lost, won])])
    doubled = np.rint(2 * ranks).astype(np.int64)  # mean ranks are halves
    chance = np.ones(1)
    for rank in doubled:
        padding = np.zeros(rank)
        chance = (np.concatenate([chance, padding]) + np.concatenate([padding, chance])) / 2
    return min(1.0, 2 * float(chance[int(doubled[agrees].sum()) :].sum()))


def fewest_seeds(lost: int, level: float) -> int:
    """Seeds below which no claim at `level` is possible, whatever the others score, once `lost` of them diverged.

    >>> fewest_seeds(1, 0.05)
    12
    """

    def is_possible(survivors: int) -> bool:
        return worst_rank_p(np.arange(1.0, survivors + 1), lost) < level

    enough = 1
    while not is_possible(enough):
        enough *= 2
    return lost + bisect_left(range(enough), True, lo=1, key=is_possible)


def equivalence_p(difference: Difference, margin: float) -> float | None:
    """How surprising such a difference were if the true one were `margin` or more from 0, to either side.

    Two one-sided t tests (Schuirmann 1987): below 0.05 it says that the arms are equal for all practical purposes,
    provided that `margin`, the smallest difference of interest, was named before the run.

    Args:
        difference: with its standard error and degrees of freedom.
        margin: above 0, in the difference's unit.

    Returns:
        The larger of the two one-sided p; 1 where the pairs did not vary, None from a single one.

    Raises:
        ValueError: a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"the smallest difference of interest must be above 0; got {margin}")
    if difference.is_untested:
        return 1.0
    if not difference.error or difference.freedom is None:
        return None
    nearest = margin - abs(difference.mean)  # the bound that is nearer to the mean gives the larger p
    return float(stdtr(difference.freedom, -nearest / difference.error))


def detectable_difference(difference: Difference, level: float, power: float = POWER) -> float | None:
    """The smallest true difference that a table of this precision tells with probability `power`.

    The noncentrality at which a t test of that level is passed so often, times the standard error (Bloom 1995,
    Evaluation Review 19:547, with the noncentral t law of Cohen 1988, chapter 2, for few seeds). It is taken from the
    precision alone: power at the difference that was found would only restate p (Hoenig and Heisey 2001).

    Args:
        difference: with its standard error and degrees of freedom.
        level: of the two-sided test, in (0, 1).
        power: in [0.5, 1): below a half the test's far side would count too.

    Returns:
        In the difference's unit; None from a single pair, or where nothing scatters.

    Raises:
        ValueError: a level or power out of range.
    """
    if not (0 < level < 1 and 0.5 <= power < 1):
        raise ValueError(f"level must be in (0, 1) and power in [0.5, 1); got {level} and {power}")
    if not difference.error or difference.freedom is None:
        return None
    needed = float(stdtrit(difference.freedom, 1 - level / 2))
    return float(nctdtrinc(difference.freedom, 1 - power, needed)) * difference.error


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction: p values that hold together at one level, in the order given.

    The i-th smallest of m is multiplied by m - i (i from 0), made monotone and capped at 1. Holds under any dependence
    between the tests and is never less powerful than Bonferroni's (Holm 1979, Scand. J. Statistics 6:65).

    Raises:
        ValueError: a p outside [0, 1].
    """
    array = np.asarray(p_values, dtype=np.float64)
    if not ((array >= 0) & (array <= 1)).all():
        raise ValueError(f"p values must be in [0, 1]; got {list(p_values)}")
    order = np.argsort(array, kind="stable")
    factors = np.arange(array.size, 0, -1)
    adjusted = np.empty_like(array)
    adjusted[order] = np.minimum(np.maximum.accumulate(array[order] * factors), 1.0)
    return [float(p) for p in adjusted]


def _checked(values: ArrayLike, confidence: float) -> NDArray[np.float64]:
    """`values` as one finite vector."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"expected at least one value, all finite, in one dimension; got {values!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must be in (0, 1); got {confidence}")
    return array


def _half_width(values: NDArray[np.float64], confidence: float) -> float | None:
    """Half of the t interval's width; None from a single value."""
    if values.size < 2:
        return None
    return float(stdtrit(values.size - 1, 0.5 + confidence / 2)) * _standard_error(values)


def _standard_error(values: NDArray[np.float64]) -> float:
    scale = max(1.0, float(np.abs(values).max()))  # the perplexity of a run that came apart has no finite square
    return scale * float((values / scale).std(ddof=1)) / math.sqrt(values.size)
