"""ASHA's stopping rule on nominal words. Knows nothing of trials, of Ray, or of where the values come from.

Source: Li et al., "A System for Massively Parallel Hyperparameter Tuning" (MLSys 2020), in the form that stops instead
of pausing: each arrival at a rung is judged at once, against those that have been there.
"""

import bisect
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from sleep_tune.search.space import Scheduler

__all__ = ["SCHEDULERS", "Arrivals", "Standing", "goes_on", "num_kept", "rung_shares", "rungs_of"]


def rung_shares(first_rung: float, reduction: float) -> tuple[float, ...]:
    """Shares of the budget, below 1 and ascending, at which trials are compared: 1/eta, 1/eta^2, ... >= first_rung.

    Args:
        first_rung: the lowest share allowed, in (0, 1].
        reduction: eta, the share of trials that goes on is 1/eta; above 1.

    >>> rung_shares(0.1, 3)
    (0.1111111111111111, 0.3333333333333333)
    """
    shares = []
    share = 1 / reduction
    while share >= first_rung - 1e-9:
        shares.append(share)
        share /= reduction
    return tuple(reversed(shares))


SCHEDULERS: dict[str, Callable[[float, float], tuple[float, ...]]] = {
    "asha": rung_shares,
    "none": lambda first_rung, reduction: (),
}
"""Name -> function(first rung, reduction) to the shares at which trials are compared."""


def rungs_of(scheduler: Scheduler) -> tuple[float, ...]:
    """The shares of the budget, below 1, at which a scheduler compares trials."""
    return SCHEDULERS[scheduler.name](scheduler.first_rung, scheduler.reduction)


def num_kept(reported: int, reduction: float) -> int:
    """How many of `reported` arrivals at a rung are the best 1/eta: rounded down, and at least one."""
    return max(1, math.floor(reported / reduction + 1e-9))


@dataclass(frozen=True, slots=True)
class Standing:
    """How an arrival stood at a rung when it came."""

    reported: int
    """Arrivals by then, itself among them."""
    ahead: int | None
    """Earlier ones that were as good or better; None if its own value is not finite."""


@dataclass(slots=True)
class Arrivals:
    """The values that have come to one rung, in whatever order."""

    mode: str
    """'min' or 'max'."""
    reported: int = 0
    finite: list[float] = field(default_factory=list)
    """Ascending; negated where more is better."""

    def add(self, value: float) -> Standing:
        """Take in one more."""
        self.reported += 1
        if not math.isfinite(value):
            return Standing(self.reported, None)
        signed = value if self.mode == "min" else -value
        ahead = bisect.bisect_right(self.finite, signed)
        self.finite.insert(ahead, signed)
        return Standing(self.reported, ahead)


def goes_on(standing: Standing, reduction: float) -> bool:
    """Whether an arrival at a rung is among the best 1/eta of all that had arrived there.

    The rule is decided by order of arrival: the first one always goes on, and nothing said before is taken back. Ties
    go to the earlier arrival. A value that is not finite never goes on, and counts as worse than any other.

    Args:
        standing: of the arrival that is judged.
        reduction: eta, above 1.
    """
    return standing.ahead is not None and standing.ahead < num_kept(standing.reported, reduction)
