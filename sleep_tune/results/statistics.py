"""Intervals and tests over seeds: Student's t for a mean and a paired difference, sign flips, equivalence, Holm.

Arrays in, frozen numbers out. Knows nothing of trials, arms or folders. The unit of replication is the seed: a run
repeated over fresh seeds speaks about the training recipe, one run speaks about one checkpoint.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import nctdtrinc, stdtr, stdtrit

__all__ = ["CONFIDENCE", "POWER", "Difference", "Estimate", "detectable", "equivalence_p", "estimate_mean", "holm"]
__all__ += ["paired_difference", "sign_flip_p"]

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
    """A mean of paired differences with its interval and two-sided p; neither (None) from a single pair."""

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

    Where the differences have no spread, t is undefined (0/0 or x/0). The exact sign-flip permutation test is still
    defined and gives 2 / 2^n, or 1 where nothing differs: that is the p then, so that two seeds that happen to agree
    never look like proof.

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
    scale = float(np.abs(first).max() + np.abs(second).max())
    p = _p_of_t(differences) if _has_spread(differences, scale) else _p_without_spread(differences, scale)
    return Difference(
        mean, mean - half, mean + half, p, differences.size, _standard_error(differences), differences.size - 1.0
    )


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


def equivalence_p(difference: Difference, margin: float) -> float | None:
    """How surprising such a difference were if the true one were `margin` or more from 0, to either side.

    Two one-sided t tests (Schuirmann 1987): below 0.05 it says that the arms are equal for all practical purposes,
    provided that `margin`, the smallest difference of interest, was named before the run.

    Args:
        difference: with its standard error and degrees of freedom.
        margin: above 0, in the difference's unit.

    Returns:
        The larger of the two one-sided p; None from a single pair.

    Raises:
        ValueError: a margin that is not above 0.
    """
    if not margin > 0:
        raise ValueError(f"the smallest difference of interest must be above 0; got {margin}")
    if difference.error is None or difference.freedom is None:
        return None
    if difference.error == 0:
        return 0.0 if abs(difference.mean) < margin else 1.0
    nearest = margin - abs(difference.mean)  # the bound that is nearer to the mean gives the larger p
    return float(stdtr(difference.freedom, -nearest / difference.error))


def detectable(difference: Difference, level: float, power: float = POWER) -> float | None:
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


def _has_spread(differences: NDArray[np.float64], scale: float) -> bool:
    return bool(np.ptp(differences) > ROUNDING * scale)


def _p_of_t(differences: NDArray[np.float64]) -> float:
    """Two-sided p of the one-sample t test against 0 (for pairs: the paired t test)."""
    t = float(differences.mean()) / _standard_error(differences)
    return float(2 * stdtr(differences.size - 1, -abs(t)))


def _p_without_spread(differences: NDArray[np.float64], scale: float) -> float:
    """Two-sided p of the sign-flip test for differences that are all equal."""
    return 1.0 if bool(np.abs(differences).max() <= ROUNDING * scale) else sign_flip_p(differences)
