"""Bisection, since importing scipy.optimize takes longer than all that is solved here."""

from collections.abc import Callable

__all__ = ["find_crossing"]


def find_crossing(increasing: Callable[[float], float], goal: float, low: float, high: float, *, exact: float) -> float:
    """Return where a function reaches a goal.

    Args:
        increasing: it is below the goal at `low` and not at `high`.
        goal: in the function's unit.
        low: lower end of the range.
        high: upper end.
        exact: how far the result may lie above the true one, above 0.
    """
    while high - low > exact:
        middle = (low + high) / 2
        low, high = (middle, high) if increasing(middle) < goal else (low, middle)
    return high
