"""What a measure can be at least and at most, and intervals cut there: no accuracy is 104%. Computes no statistic."""

import math
from dataclasses import replace

from sleep_tune.results.statistics import Difference, Estimate

__all__ = ["cut_difference", "cut_estimate", "value_range"]

SIGNED = ("babylm/macro", "babylm/wug_", "babylm/aoa", "babylm/reading_")
"""How the names begin of scores that may be below 0: correlations x 100 and gains in explained variance, and averages
that count them. A wug score that ends in `_accuracy` is none."""


def value_range(key: str) -> tuple[float, float]:
    """The least and the most that a metric or cost can be, as its values are kept (shares are from 0 to 1).

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
    """The estimate with its interval cut to what the measure can be: what a t interval adds beyond it is impossible.

    Where the mean itself is out of range, the range is not that of these numbers, and nothing is cut.
    """
    low, high = value_range(key)
    if made.low is None or made.high is None or not low <= made.mean <= high:
        return made
    return replace(made, low=max(low, made.low), high=min(high, made.high))


def cut_difference(key: str, made: Difference) -> Difference:
    """The same for a difference of two such values."""
    low, high = value_range(key)
    width = high - low
    if made.low is None or made.high is None or abs(made.mean) > width:
        return made
    return replace(made, low=max(-width, made.low), high=min(width, made.high))
