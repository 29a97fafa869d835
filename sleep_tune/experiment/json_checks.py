"""Checks of values read from JSON, shared by the schemas of the event log and of a run's journal."""

import math
from collections.abc import Callable
from typing import Any

from sleep_tune.records import is_count, is_number

__all__ = ["LARGEST", "Check", "is_amount", "is_bool", "is_index", "is_measure", "is_text"]
__all__ += ["list_of", "mapping_of", "nullable", "one_of"]

Check = Callable[[Any], bool]

LARGEST = 2**63
"""Integers must be below this, so that tables can hold them."""


def is_text(value: Any) -> bool:
    """Return whether a value is a string."""
    return isinstance(value, str)


def is_bool(value: Any) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def is_index(value: Any) -> bool:
    """Return whether a value is an integer in [0, 2**63)."""
    return is_count(value) and value < LARGEST


def is_measure(value: Any) -> bool:
    """Return whether a value is a number; NaN and infinity are numbers too."""
    return is_number(value) and (isinstance(value, float) or abs(value) < LARGEST)


def is_amount(value: Any) -> bool:
    """Return whether a value is a finite number >= 0, as seconds and GPUs are."""
    return is_measure(value) and math.isfinite(value) and value >= 0


def nullable(check: Check) -> Check:
    """Return a check that also accepts null."""
    return lambda value: value is None or check(value)


def list_of(check: Check, length: int | None = None) -> Check:
    """Return a check for a list of such values, of this length if one is given."""
    return lambda value: isinstance(value, list) and length in (None, len(value)) and all(map(check, value))


def mapping_of(check: Check) -> Check:
    """Return a check for an object of such values."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def one_of(*choices: Any) -> Check:
    """Return a check for these strings, and for None if it is among them."""
    return lambda value: any(value is choice or (isinstance(value, str) and value == choice) for choice in choices)
