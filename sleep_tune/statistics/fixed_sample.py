"""Intervals and tests over a number of seeds that was fixed in advance, and Holm's correction.

They are Student's t, sign flips, signed ranks, equivalence and power. The unit of replication is the seed: runs
repeated over fresh seeds describe the training recipe, a single run describes one checkpoint.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import nctdtrinc, stdtr, stdtrit

__all__ = [
    "CONFIDENCE",
    "POWER",
    "ROUNDING",
    "Difference",
    "Estimate",
    "detectable_difference",
    "equivalence_p",
    "estimate_mean",
    "fewest_seeds",
    "holm",
    "is_constant",
    "mean_difference",
    "paired_difference",
    "sign_flip_p",
    "untested_difference",
    "worst_rank_p",
]

CONFIDENCE = 0.95
"""Coverage of intervals."""

POWER = 0.8
"""Statistical power at which a difference counts as detectable."""

ROUNDING = 1e-12
"""Spread below this share of the size of the values counts as rounding error."""

EXACT_SEEDS = 14
"""Up to this many seeds all 2^n sign flips are tried; with more seeds, `FLIPS` of them are drawn."""

FLIPS = 20_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over seeds with its interval, which is None for a single value."""

    mean: float
    low: float | None
    high: float | None
    count: int
    """Number of seeds."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean of paired differences with its interval and two-sided p.

    Both are None for a single pair. Where all seeds differ by the same amount there is no interval, and p is 1.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    count: int
    """Number of pairs, one per shared seed."""
    error: float | None = None
    """Standard error of the mean."""
    freedom: float | None = None
    """Degrees of freedom of the standard error, and of the t distribution of the interval and p."""

    @property
    def is_untested(self) -> bool:
        """Whether there are several pairs, all with the same difference."""
        return self.count > 1 and self.error is None


def estimate_mean(values: ArrayLike) -> Estimate:
    """Return the mean and its Student-t interval: mean ± t(95%, n - 1) s / sqrt(n).

    Equal values give an interval of width zero; this is not a claim of certainty.

    >>> estimate_mean([1.0, 2.0, 3.0]).mean
    2.0

    Args:
        values: (n,) n >= 1, finite; one value per seed.

    Raises:
        ValueError: no value, or a value that is not finite.
    """
    array = _checked(values)
    mean, half = float(array.mean()), _half_width(array)
    if half is None:
        return Estimate(mean, None, None, array.size)
    return Estimate(mean, mean - half, mean + half, array.size)


def paired_difference(treated: ArrayLike, reference: ArrayLike) -> Difference:
    """Return the mean of treated - reference over shared seeds, its t interval, and the p of the paired t test.

    Args:
        treated: (n,) n >= 1, finite; entry i shares a seed with entry i of `reference`.
        reference: (n,) finite.

    Raises:
        ValueError: shapes that differ, no pair, or a value that is not finite.
    """
    first, second = _checked(treated), _checked(reference)
    if first.shape != second.shape:
        raise ValueError(f"paired values must come in pairs; got {first.size} and {second.size}")
    return mean_difference(first - second, float(np.abs(first).max() + np.abs(second).max()))


def mean_difference(differences: NDArray[np.float64], scale: float) -> Difference:
    """Return the mean of (n,) paired differences of values as large as `scale`, with its t interval and p.

    Differences without spread are not tested (see `untested_difference`).
    """
    mean, half = float(differences.mean()), _half_width(differences)
    if half is None:
        return Difference(mean, None, None, None, differences.size)
    if is_constant(differences, scale):
        return untested_difference(mean, differences.size)
    error = _standard_error(differences)
    p = float(2 * stdtr(differences.size - 1, -abs(mean / error)))
    return Difference(mean, mean - half, mean + half, p, differences.size, error, differences.size - 1.0)


def untested_difference(mean: float, count: int) -> Difference:
    """Return the difference of pairs that all differ by the same amount: no interval, and p = 1.

    All tests here compare the mean with the variation between seeds, which such pairs do not show. They come from runs
    that were scored twice, or from scores with few possible values: neither is evidence. Other answers claim too much:
    t is infinite; the sign-flip test gives 2 / 2^n, so that eight copies of one pair of models would be significant;
    the variance of items alone describes two models, not two recipes, and gave a false positive in 131 of 290 tables.
    A p of 1 stays in Holm's family, whose size must not depend on the results.
    """
    return Difference(mean, None, None, 1.0, count)


def is_constant(differences: NDArray[np.float64], scale: float) -> bool:
    """Return whether (n,) differences of values as large as `scale` are all equal, apart from rounding."""
    return bool(np.ptp(differences) <= ROUNDING * scale)


def sign_flip_p(differences: ArrayLike) -> float:
    """Return the two-sided p of the paired permutation test, which exchanges the two arms at each seed.

    Exact up to `EXACT_SEEDS` seeds. It makes no other assumption. Its p is never below 2 / 2^n, so that five seeds
    cannot reach 0.05.

    Args:
        differences: (n,) n >= 1, finite; one per seed.
    """
    array = _checked(differences)
    if array.size <= EXACT_SEEDS:
        signs = np.array(list(product((1.0, -1.0), repeat=array.size)))
    else:
        draws = np.random.default_rng(0).choice((1.0, -1.0), size=(FLIPS - 1, array.size))
        signs = np.concatenate([np.ones((1, array.size)), draws])
    flipped = np.abs(signs @ array)
    return float((flipped >= flipped[0] - ROUNDING * np.abs(array).sum()).mean())


def worst_rank_p(differences: ArrayLike, lost: int, won: int = 0) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test in which diverged runs rank below all others.

    Seeds at which only one arm diverged count as the largest differences, in favour of the other arm. Dropping them
    would compare survivors, which are not a random sample of the recipe. The test is in the direction of the mean
    difference of the survivors: diverged seeds in the other direction weaken it. Exact, with mean ranks for ties; zeros
    count for neither side.

    Args:
        differences: (n,) n >= 1, finite; treated - reference at the seeds at which neither diverged, in a measure where
            more is better.
        lost: seeds at which only the treated arm diverged.
        won: seeds at which only the reference diverged.
    """
    from scipy.stats import rankdata  # slow to import, and needed only where runs diverged

    array = _checked(differences)
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
    """Return the fewest seeds with which significance at `level` is possible if `lost` of them diverged.

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
    """Return the p of an equivalence test: two one-sided t tests (Schuirmann 1987) against `margin` on either side.

    A p below 0.05 shows that the arms are equivalent for practical purposes, provided that `margin`, the smallest
    difference of interest, was chosen before the run.

    Args:
        difference: with its standard error and degrees of freedom.
        margin: above 0, in the unit of the difference.

    Returns:
        The larger of the two one-sided p; 1 where the pairs do not vary, None for a single pair.

    Raises:
        ValueError: a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"the smallest difference of interest must be above 0; got {margin}")
    if difference.is_untested:
        return 1.0
    if not difference.error or difference.freedom is None:
        return None
    nearest = margin - abs(difference.mean)  # the bound nearer to the mean has the larger p
    return float(stdtr(difference.freedom, -nearest / difference.error))


def detectable_difference(difference: Difference, level: float) -> float | None:
    """Return the smallest true difference that a test with this standard error detects with power `POWER`.

    It is the noncentrality at which a t test of this level has this power, times the standard error (Bloom 1995,
    Evaluation Review 19:547, with the noncentral t distribution of Cohen 1988, chapter 2, for few seeds). It depends on
    the standard error only: power at the observed difference would restate p (Hoenig and Heisey 2001).

    Args:
        difference: with its standard error and degrees of freedom.
        level: of the two-sided test, in (0, 1).

    Returns:
        In the unit of the difference; None for a single pair, or where the standard error is 0.

    Raises:
        ValueError: a level out of range.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must be in (0, 1); got {level}")
    if not difference.error or difference.freedom is None:
        return None
    needed = float(stdtrit(difference.freedom, 1 - level / 2))
    return float(nctdtrinc(difference.freedom, 1 - POWER, needed)) * difference.error


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values after Holm's step-down correction, in the order given.

    The i-th smallest of m is multiplied by m - i (i from 0), made monotone and capped at 1. Valid under any dependence
    between the tests, and never less powerful than Bonferroni's correction (Holm 1979, Scand. J. Statistics 6:65).

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


def _checked(values: ArrayLike) -> NDArray[np.float64]:
    """Return `values` as a vector of finite numbers."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"expected at least one value, all finite, in one dimension; got {values!r}")
    return array


def _half_width(values: NDArray[np.float64]) -> float | None:
    """Return half the width of the t interval; None for a single value."""
    if values.size < 2:
        return None
    return float(stdtrit(values.size - 1, 0.5 + CONFIDENCE / 2)) * _standard_error(values)


def _standard_error(values: NDArray[np.float64]) -> float:
    scale = max(1.0, float(np.abs(values).max()))  # the square of a diverged run's perplexity overflows
    return scale * float((values / scale).std(ddof=1)) / math.sqrt(values.size)
