"""Ranges of possible values of each measure; intervals are limited to them, because no accuracy is 104%."""

import math
from dataclasses import replace

from sleep_tune.results.statistics import Difference, Estimate

__all__ = ["cut_difference", "cut_estimate", "value_range"]

SIGNED = ("babylm/macro", "babylm/wug_", "babylm/aoa", "babylm/reading_")
"""Prefixes of scores that may be below 0: correlations x 100, gains in explained variance, and averages that include
these. A wug score that ends in `_accuracy` is not one of them."""


def value_range(key: str) -> tuple[float, float]:
    """Return the smallest and largest possible value of a metric or cost, in its own unit (shares are in [0, 1]).

    >>> value_range("test/pairs_accuracy"), value_range("babylm/blimp_fast"), value_range("babylm/wug_past_tense")
    ((0.0, 1.0), (0.0, 100.0), (-100.0, 100.0))
    """
    name = key.partition("/")[2]
    if key.startswith(("babylm/", "ties/")):
        return (-100.0 if key.startswith(SIGNED) and not key.endswith("_accuracy") else 0.0), 100.0
    if name.startswith("pairs"):
        return 0.0, 1.0
    return (1.0 if name == "pseudo_perplexity" else 0.0), math.inf


def cut_estimate(key: str, made: Estimate) -> Estimate:
    """Return the estimate with its interval limited to possible values of the measure.

    An estimate whose mean is out of range is in another unit, and stays as it is.
    """
    low, high = value_range(key)
    if made.low is None or made.high is None or not low <= made.mean <= high:
        return made
    return replace(made, low=max(low, made.low), high=min(high, made.high))


def cut_difference(key: str, made: Difference) -> Difference:
    """Return the difference of two such values with its interval limited in the same way."""
    low, high = value_range(key)
    width = high - low
    if made.low is None or made.high is None or abs(made.mean) > width:
        return made
    return replace(made, low=max(-width, made.low), high=min(width, made.high))
