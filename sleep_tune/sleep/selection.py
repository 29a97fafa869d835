"""Strategies: which candidates enter the buffer, given their priorities. Knows neither samples nor scores.

A strategy is a function (priorities, n, rng) -> n distinct indices in linear time, whatever the number of candidates;
`STRATEGIES` is the only list of them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["STRATEGIES", "Strategy", "random", "strict", "weighted"]

Strategy = Callable[[NDArray[np.float64], int, np.random.Generator], NDArray[np.intp]]


def strict(priorities: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Take the n highest priorities; among equal ones, the lowest indices. Ascending. Draws nothing from `rng`.

    Args:
        priorities: (C,) none of them NaN.
        n: in [1, C].
        rng: unused; every strategy has the same signature.
    """
    return _highest(priorities, n)


def weighted(priorities: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw n one after another without replacement, each with probability proportional to its priority. Ascending.

    The n highest keys log(priority) + Gumbel noise are exactly such a sample (Efraimidis and Spirakis 2006; Gumbel
    top-k, Vieira 2014; Kool et al. 2019): linear in C, no limit on C, and no sum whose rounding would lose small
    priorities. A priority of 0 is drawn only when all positive ones are, then uniformly: its limit.

    Args:
        priorities: (C,) each >= 0 and finite.
        n: in [1, C].
        rng: gives C exponential numbers.
    """
    positive = np.count_nonzero(priorities)
    if positive < n:
        empty = np.flatnonzero(priorities == 0)
        drawn = rng.choice(empty, n - positive, replace=False, shuffle=False)
        return np.sort(np.concatenate([np.flatnonzero(priorities), drawn]))
    noise = rng.standard_exponential(len(priorities))
    with np.errstate(divide="ignore"):  # log(0) = -inf is what a priority of 0 means
        np.log(noise, out=noise)  # minus a standard Gumbel number
        np.subtract(np.log(priorities), noise, out=noise)
    return _highest(noise, n)


def random(priorities: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Draw n uniformly without replacement, whatever the priorities. In no particular order.

    Args:
        priorities: (C,) only their number matters.
        n: in [1, C].
        rng: draws the indices.
    """
    return rng.choice(len(priorities), n, replace=False, shuffle=False)


STRATEGIES: dict[str, Strategy] = {"random": random, "strict": strict, "weighted": weighted}


def _highest(keys: NDArray[np.float64], n: int) -> NDArray[np.intp]:
    """Ascending indices of the n highest keys, the lowest indices among equal ones, by partition in linear time."""
    threshold = np.partition(keys, len(keys) - n)[len(keys) - n]
    chosen = keys > threshold
    chosen[np.flatnonzero(keys == threshold)[: n - np.count_nonzero(chosen)]] = True
    return np.flatnonzero(chosen)
