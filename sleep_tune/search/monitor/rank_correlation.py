"""Kendall's rank correlation between the results of trials at two points of the budget."""

import math
from bisect import bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ENOUGH", "LOW", "RankCorrelation", "concordance", "rank_correlation"]

ENOUGH = 10
"""Trials that must have reached both points before a warning may be given."""

LOW = 0.3
"""A correlation is low if the upper end of its interval is below this.

Only promoted trials reach the later point, and they are a selected sample: if all trials have tau 0.5, the best third
has about 0.3.
"""

ONE_SIDED = 1.645
"""Standard errors from an estimate to the upper end of its one-sided 95% interval."""


@dataclass(frozen=True, slots=True)
class RankCorrelation:
    """Kendall's tau-b between two points of the budget, over the trials that reached both."""

    tau: float
    """Tau-b in [-1, 1], over pairs of trials of the same group."""
    trials: int
    upper: float
    """One-sided 95% upper bound of tau, from its standard error for independent orders."""

    @property
    def is_enough(self) -> bool:
        """Whether there are enough trials for a warning."""
        return self.trials >= ENOUGH

    @property
    def is_low(self) -> bool:
        """Whether tau is low with 95% confidence."""
        return self.is_enough and self.upper < LOW


def rank_correlation(
    first: dict[str, float], second: dict[str, float], groups: dict[str, str] | None = None
) -> RankCorrelation | None:
    """Return Kendall's tau-b between two points, pooled over pairs of trials of one group.

    Pairs of different groups are left out, since groups start at different levels. Concordant minus discordant pairs
    are summed over the groups and divided by the sum of their largest possible values. The bound uses the standard
    error for independent orders (Kendall, "A New Measure of Rank Correlation", 1938).

    Args:
        first: trial -> value at the first point; values that are not finite are left out.
        second: trial -> value at the second point.
        groups: trial -> group; by default all trials are one group.

    Returns:
        None if fewer than two trials of a group reached both points, or if all values are equal.
    """
    pairs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for trial, value in first.items():
        other = second.get(trial, math.nan)
        if math.isfinite(value) and math.isfinite(other):
            pairs[groups[trial] if groups else ""].append((value, other))
    surplus = possible = variance = 0.0
    trials = 0
    for values in pairs.values():
        size = len(values)
        if size < 2:
            continue
        ahead, most = concordance(values)
        trials += size
        surplus, possible = surplus + ahead, possible + most
        variance += size * (size - 1) * (2 * size + 5) / 18
    if not possible:
        return None
    tau = surplus / possible
    return RankCorrelation(tau, trials, min(1.0, tau + ONE_SIDED * math.sqrt(variance) / possible))


def concordance(values: Sequence[tuple[float, float]]) -> tuple[int, float]:
    """Return concordant minus discordant pairs, and its largest possible value given the ties; tau-b is their ratio.

    Counts inversions in n log n steps (Knight, "A Computer Method for Calculating Kendall's Tau with Ungrouped Data",
    1966). scipy.stats has tau-b too, but importing it takes longer than showing a status.

    Args:
        values: n pairs (value at the first point, value at the second).
    """
    ordered = sorted(values)
    seen: list[float] = []
    discordant = 0
    for _, value in ordered:
        discordant += len(seen) - bisect_right(seen, value)
        insort(seen, value)
    total = math.comb(len(ordered), 2)
    tied_first = _ties(Counter(value for value, _ in ordered))
    tied_second = _ties(Counter(seen))
    concordant = total - tied_first - tied_second + _ties(Counter(ordered)) - discordant
    return concordant - discordant, math.sqrt((total - tied_first) * (total - tied_second))


def _ties(counts: Counter[float] | Counter[tuple[float, float]]) -> int:
    return sum(math.comb(count, 2) for count in counts.values())
