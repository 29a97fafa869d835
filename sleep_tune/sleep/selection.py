"""Replay strategies: which candidates enter the buffer, given their priorities and scores.

A strategy is a function (priorities, scores, n, rng) -> (n,) distinct indices in [0, C), in time linear in the number C
of candidates. `STRATEGIES` is the only list of them; `checked` takes one from elsewhere.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import ConfigError

__all__ = ["STRATEGIES", "UNSCORED", "Strategy", "checked", "random", "strict", "weighted"]

Strategy = Callable[[NDArray[np.float64], NDArray[np.floating], int, np.random.Generator], NDArray[np.intp]]


def strict(
    priorities: NDArray[np.float64], scores: NDArray[np.floating], n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Take the n highest priorities; among equal ones, the highest scores; among equal scores, the lowest indices.

    Priorities are equal at alpha = 0, and where they are 0: after a decay of 1, or where a small score to a large power
    underflows. Ties broken by index alone would make every sleep replay the corpus's beginning. Indices are ascending.

    Args:
        priorities: (C,) none of them NaN.
        scores: (C,) none of them NaN.
        n: in [1, C].
        rng: unused; every strategy has the same signature.
    """
    threshold = _threshold(priorities, n)
    above, tied = np.flatnonzero(priorities > threshold), np.flatnonzero(priorities == threshold)
    return np.sort(np.concatenate([above, tied[_highest(scores[tied], n - len(above))]]))


def weighted(
    priorities: NDArray[np.float64], scores: NDArray[np.floating], n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw n one after another without replacement, each with probability proportional to its priority.

    The n highest keys log(priority) + Gumbel noise are exactly such a sample (Efraimidis and Spirakis 2006; Gumbel
    top-k, Vieira 2014; Kool et al. 2019): linear in C, no limit on C, and no sum whose rounding would lose small
    priorities. Priorities of 0 are drawn only after all positive ones, then uniformly. Indices are ascending.

    Args:
        priorities: (C,) each >= 0 and finite.
        scores: unused.
        n: in [1, C].
        rng: draws C exponential numbers.
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


def random(
    priorities: NDArray[np.float64], scores: NDArray[np.floating], n: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Draw n uniformly without replacement; priorities are ignored. Indices are in no particular order.

    Args:
        priorities: (C,) only their number matters.
        scores: unused.
        n: in [1, C].
        rng: draws the indices.
    """
    return rng.choice(len(priorities), n, replace=False, shuffle=False)


STRATEGIES: dict[str, Strategy] = {"random": random, "strict": strict, "weighted": weighted}
"""Name of `sleep.replay.strategy` -> function."""

UNSCORED = frozenset({"random"})
"""Strategies that read neither priorities nor scores, so that none need be computed."""


def checked(strategy: Strategy, name: str) -> Strategy:
    """Return a strategy that checks each result of `strategy`, so that no model is trained on a wrong buffer.

    The strategy raises ConfigError with the name if a result is not n distinct indices in [0, C).

    Args:
        strategy: a function from elsewhere.
        name: of the function, for messages.
    """

    def choose(
        priorities: NDArray[np.float64], scores: NDArray[np.floating], n: int, rng: np.random.Generator
    ) -> NDArray[np.intp]:
        count = len(priorities)
        chosen = strategy(priorities, scores, n, rng)
        got = _mistake(chosen, n, count)
        if got is not None:
            raise ConfigError(
                f"sleep.replay.strategy={name} must return an array of {n:,} different indices, from 0 to "
                f"{count - 1:,}; got {got}"
            )
        return chosen

    return choose


def _mistake(chosen: object, n: int, count: int) -> str | None:
    """Return what is wrong with a buffer of `n` of `count` candidates; None if nothing is."""
    if not isinstance(chosen, np.ndarray):
        return "None" if chosen is None else f"a {type(chosen).__name__}"
    if chosen.shape != (n,) or chosen.dtype.kind not in "iu":
        return f"an array of {chosen.dtype} of shape {chosen.shape}"
    if chosen.min() < 0 or chosen.max() >= count:
        return f"indices from {chosen.min():,} to {chosen.max():,}"
    is_chosen = np.zeros(count, np.bool_)
    is_chosen[chosen] = True
    repeated = n - np.count_nonzero(is_chosen)
    return f"{repeated:,} of them repeated" if repeated else None


def _threshold(keys: NDArray[np.floating], n: int) -> np.floating:
    """Return the n-th highest key, by partition in linear time."""
    nth: np.floating = np.partition(keys, len(keys) - n)[len(keys) - n]
    return nth


def _highest(keys: NDArray[np.floating], n: int) -> NDArray[np.intp]:
    """Return the indices of the n highest keys, ascending; among equal keys, the lowest indices."""
    threshold = _threshold(keys, n)
    chosen = keys > threshold
    chosen[np.flatnonzero(keys == threshold)[: n - np.count_nonzero(chosen)]] = True
    return np.flatnonzero(chosen)
