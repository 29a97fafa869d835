"""Law of the paired t test at several planned looks: which p at a look decides, at every level.

At level a, look k spends the increment a (f_k - f_(k-1)) of a spending function (Lan and DeMets 1983, Biometrika
70:659): this is the chance, without a true difference, that its |t| is the first beyond the bound of its look. So all
looks together claim falsely with chance a, whenever one stops. The law does not depend on the variance of differences.

With S the sum and Q the sum of squares of n differences, r = S / sqrt(n Q) is a function of t, and without a true
difference it is independent of Q (Basu). When m differences are added, let T be the mean of the new ones over the root
of all squares, and C the share of Q in the other squares. They are independent of r and of each other; T has the law of
r at n + m differences, C has the law Beta(n / 2, (m - 1) / 2), and

    r' = (sqrt(n C (1 - T^2)) r + sqrt(m) T) / sqrt(n + m).

So |r| is a Markov chain. It is integrated on a grid; nothing is drawn at random. p is within
0.1% of its value, and within 1% where looks are one seed apart.
"""

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta, ndtr, roots_jacobi, roots_legendre, stdtr, stdtrit

from sleep_tune.statistics.bisection import find_crossing

__all__ = ["PlannedLaw", "planned_law"]

Reals = NDArray[np.float64]

STEP, BINS = 0.05, 140
"""Width and number of the grid's bins of z >= 0, the normal score of a two-sided p. At the last edge p is 3e-12."""

POINTS = 3
"""Nodes of Gauss's quadrature within a bin."""

PARTS, MORE_PARTS = 8, 5
"""Nodes of Gauss's quadrature over C: `PARTS`, and one more for every `MORE_PARTS` seeds, as C then scatters less."""

BISECTIONS = 40

EDGES_E: Reals = STEP * np.arange(BINS + 1, dtype=np.float64)
TAILS_E: Reals = 2 * ndtr(-EDGES_E)
LEVELS_L: Reals = np.concatenate([np.geomspace(1e-9, 0.1, 60), np.linspace(0.12, 1.0, 45)])
"""Levels at which bounds are computed; between them the share of first crossings is interpolated."""


@dataclass(frozen=True)
class PlannedLaw:
    """Bounds of |t| at planned looks, written as the two-sided p that t has in a single look ("nominal" p)."""

    counts: tuple[int, ...]
    """(K,) differences at each look."""
    increments: tuple[float, ...]
    """(K,) share of the level that each look adds; their sum is at most 1."""
    bounds: tuple[tuple[Reals, Reals], ...]
    """(K,) for each look the nominal p at which it decides, ascending, and the share of such t that are the first."""

    def p(self, look: int, nominal: float) -> float:
        """Return the smallest level at which a look decides; for the first look, nominal / increment exactly.

        Args:
            look: from 0.
            nominal: two-sided p of the t test over the seeds of this look, in [0, 1].
        """
        nominals, shares = self.bounds[look]
        return min(1.0, nominal * float(np.interp(nominal, nominals, shares)) / self.increments[look])

    def nominal(self, look: int, level: float) -> float:
        """Return the nominal p below which a look decides at a level.

        Args:
            look: from 0.
            level: in (0, 1).
        """
        if look == 0:
            return level * self.increments[look]
        return find_crossing(lambda nominal: self.p(look, nominal), level, 0.0, 1.0, exact=1e-15)


@functools.lru_cache(maxsize=256)
def planned_law(counts: tuple[int, ...], increments: tuple[float, ...]) -> PlannedLaw:
    """Return the bounds for looks at `counts` differences.

    Args:
        counts: (K,) differences at each look, increasing, each at least 2.
        increments: (K,) share of the level that each look adds, above 0; their sum is at most 1.
    """
    beyond_LE = np.broadcast_to(TAILS_E, (len(LEVELS_L), BINS + 1))  # chance of no earlier crossing and z >= an edge
    bounds = []
    for look, increment in enumerate(increments):
        spent_L = LEVELS_L * increment
        nominal_L = 2 * ndtr(-_crossing(beyond_LE, spent_L))
        bounds.append((nominal_L, spent_L / nominal_L if look else np.ones_like(nominal_L)))
        if look + 1 < len(counts):
            inside_LB = -np.diff(np.maximum(beyond_LE, spent_L[:, None]))
            beyond_LE = inside_LB @ _transition(counts[look], counts[look + 1])
    return PlannedLaw(counts, increments, tuple(bounds))


def _crossing(beyond_LE: Reals, spent_L: Reals) -> Reals:
    """Return (L,) the z at which each row of `beyond_LE`, which falls along the edges, is `spent_L`."""
    bin_L = np.clip((beyond_LE > spent_L[:, None]).sum(axis=1) - 1, 0, BINS - 1)
    rows = np.arange(len(spent_L))
    share_LE = beyond_LE / TAILS_E  # almost straight within a bin, unlike `beyond_LE`
    start_L, end_L = share_LE[rows, bin_L], share_LE[rows, bin_L + 1]
    low_L, high_L = np.zeros_like(spent_L), np.ones_like(spent_L)
    for _ in range(BISECTIONS):
        place_L = (low_L + high_L) / 2
        chance_L = (start_L + place_L * (end_L - start_L)) * 2 * ndtr(-(EDGES_E[bin_L] + STEP * place_L))
        low_L, high_L = np.where(chance_L > spent_L, place_L, low_L), np.where(chance_L > spent_L, high_L, place_L)
    return np.asarray(EDGES_E[bin_L] + STEP * low_L)


@functools.lru_cache(maxsize=256)
def _transition(before: int, after: int) -> Reals:
    """Return (B, E) the chance that z at `after` differences is beyond an edge, given the bin of z at `before`."""
    points, weights = roots_legendre(POINTS)
    z_BQ = (EDGES_E[:-1] + STEP / 2)[:, None] + STEP / 2 * points
    density_BQ = weights * np.exp(-(z_BQ**2) / 2)
    chance_BQE = _chance_beyond(_cosine(z_BQ, before)[:, :, None], _cosine(EDGES_E, after), before, after)
    return np.asarray(np.einsum("bq,bqe->be", density_BQ / density_BQ.sum(axis=1, keepdims=True), chance_BQE))


def _chance_beyond(r: Reals, bound: Reals, before: int, after: int) -> Reals:
    """Return the chance of |r'| >= bound at `after` differences, given r at `before`; arrays are broadcast.

    It is integrated over C above the least one with which r' can reach the bound. With C = least + (1 - least) v^2 the
    integrand is smooth in v, apart from the factor (1 - v)^((m - 3) / 2), which Gauss-Jacobi quadrature contains.
    """
    new = after - before
    if new == 1:
        return _chance_given_part(r, bound, 1.0, before, after)
    power = (new - 3) / 2
    nodes, weights = roots_jacobi(PARTS + after // MORE_PARTS, power, 0.0)
    least = np.clip((after * bound**2 - new) / (before * r**2), 0.0, 1.0)
    chance = np.zeros(least.shape)
    for v, weight in zip((nodes + 1) / 2, weights / 2 ** (power + 1), strict=True):
        part = least + (1 - least) * v**2
        density = part ** (before / 2 - 1) * (1 + v) ** power * 2 * v
        chance += weight * density * _chance_given_part(r, bound, part, before, after)
    return np.asarray(chance * (1 - least) ** (power + 1) / beta(before / 2, (new - 1) / 2))


def _chance_given_part(r: Reals, bound: Reals, part: Reals | float, before: int, after: int) -> Reals:
    """Return the chance of |r'| >= bound given r and C: r' is the sine of a shifted angle, whose law is that of T."""
    new_root, old = np.sqrt(after - before), np.sqrt(before * part) * r
    sine = np.minimum(np.sqrt(after) * bound / np.hypot(old, new_root), 1.0)
    cosine = np.sqrt(1 - sine**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        above = _tail((sine * new_root - old * cosine) / (cosine * new_root + sine * old), after)
        below = _tail((sine * new_root + old * cosine) / np.abs(cosine * new_root - sine * old), after)
    both = above + np.sign(cosine * new_root - sine * old) * below
    return np.where(sine < 1, both, 0.0)


def _cosine(z: Reals, count: int) -> Reals:
    """Return r at a z."""
    t = -stdtrit(count - 1, ndtr(-z))
    return np.asarray(t / np.sqrt(count - 1 + t**2))


def _tail(tangent: Reals, count: int) -> Reals:
    """Return the chance that the angle of T at `count` differences has a larger tangent."""
    return np.asarray(stdtr(count - 1, -np.sqrt(count - 1) * tangent))
