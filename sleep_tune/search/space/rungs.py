"""Rungs: the shares of the budget at which each scheduler compares trials."""

from collections.abc import Callable

from sleep_tune.search.space.search_space import Scheduler

__all__ = ["PROMOTION", "SCHEDULERS", "rung_shares", "rungs_of"]


def rung_shares(first_rung: float, reduction: float) -> tuple[float, ...]:
    """Return the shares of the budget, ascending, at which trials are compared: 1/eta, 1/eta^2, ... >= first_rung.

    Args:
        first_rung: the lowest share allowed, in (0, 1].
        reduction: eta, above 1; the share 1/eta of the trials at a rung is promoted.

    >>> rung_shares(0.1, 3)
    (0.1111111111111111, 0.3333333333333333)
    """
    shares = []
    share = 1 / reduction
    while share >= first_rung - 1e-9:
        shares.append(share)
        share /= reduction
    return tuple(reversed(shares))


PROMOTION = "promotion"
"""The scheduler that pauses trials at a rung, and may promote them later."""

SCHEDULERS: dict[str, Callable[[float, float], tuple[float, ...]]] = {
    "asha": rung_shares,
    PROMOTION: rung_shares,
    "none": lambda first_rung, reduction: (),
}
"""Name -> function(first rung, reduction) to the shares at which trials are compared."""


def rungs_of(scheduler: Scheduler) -> tuple[float, ...]:
    """Return the shares of the budget, below 1, at which a scheduler compares trials."""
    return SCHEDULERS[scheduler.name](scheduler.first_rung, scheduler.reduction)
