"""Values of a parameter's domain: whether it contains one, how many there are, and which one lies at a share of it."""

import math
from decimal import Decimal

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.search_space import Choice, Domain, Int, LogUniform, Uniform

__all__ = ["contains", "nearest", "num_values", "value_at", "value_of_index"]


def contains(domain: Domain, value: Value) -> bool:
    """Return whether `value` is one of the domain's values."""
    if isinstance(domain, Choice):
        return any(value == other and isinstance(value, bool) == isinstance(other, bool) for other in domain.values)
    if isinstance(value, bool) or not isinstance(value, int | float) or not domain.low <= value <= domain.high:
        return False
    if isinstance(domain, Int):
        return isinstance(value, int) and (value - domain.low) % domain.step == 0
    return num_values(domain) is None or nearest(domain, value) == value


def num_values(domain: Domain) -> int | None:
    """Return the number of the domain's values; None for a range of real numbers without a step."""
    match domain:
        case Choice(values):
            return len(values)
        case Int(low, high, step):
            return (high - low) // step + 1
        case Uniform(low, high, step) if step is not None:
            return int((_exact(high) - _exact(low)) / _exact(step)) + 1
        case Uniform() | LogUniform():
            return None


def value_of_index(domain: Domain, index: int) -> Value:
    """Return one of the domain's values, in their order.

    Args:
        domain: with a number of values (`num_values`).
        index: from 0.
    """
    match domain:
        case Choice(values):
            return values[index]
        case Int(low, _, step):
            return low + index * step
        case Uniform(low, _, step) if step is not None:
            return float(_exact(low) + index * _exact(step))
        case Uniform() | LogUniform():
            raise ValueError("a range of real numbers cannot be listed")


def nearest(domain: Int | Uniform | LogUniform, number: float) -> int | float:
    """Return the value of a range that is nearest to a finite number."""
    within = min(max(number, domain.low), domain.high)
    if isinstance(domain, LogUniform) or domain.step is None:
        return float(within)
    value = value_of_index(domain, round((within - domain.low) / domain.step))
    assert isinstance(value, int | float)
    return value


def value_at(domain: Domain, share: float) -> Value:
    """Return the value below which `share` of the domain lies; of a logarithmic one, of its logarithm.

    Args:
        domain: the domain.
        share: in [0, 1).
    """
    match domain:
        case Int(low, high, _, True):
            # As Optuna does: every whole number stands for the numbers that are rounded to it.
            return nearest(domain, (low - 0.5) * ((high + 0.5) / (low - 0.5)) ** share)
        case LogUniform(low, high):
            return nearest(domain, low * (high / low) ** share)
        case Uniform(low, high, None):
            return nearest(domain, low + share * (high - low))
    number = num_values(domain)
    assert number is not None
    return value_of_index(domain, math.floor(share * number))


def _exact(number: float) -> Decimal:
    """Return a number as it is written: 0.1 is a tenth, so that 3 steps of 0.1 from 0 are 0.3."""
    return Decimal(repr(float(number)))
