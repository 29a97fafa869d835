"""Normalisations of replay scores: what stands in for a score where scores are not comparable, or may be negative.

A normalisation is a function (values, last_read, sources) -> (C,) numbers >= 0, in time linear in the number C of
candidates but for one sort. `NORMALISATIONS` is the only list of them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["NORMALISATIONS", "Normalisation", "inverse_ranks", "z_scores"]

Normalisation = Callable[[NDArray[np.floating], NDArray[np.int32], NDArray[np.int16]], NDArray[np.floating]]


def none(
    values: NDArray[np.floating], last_read: NDArray[np.int32], sources: NDArray[np.int16]
) -> NDArray[np.floating]:
    """Leave the values as they are."""
    return values


def rank(
    values: NDArray[np.floating], last_read: NDArray[np.int32], sources: NDArray[np.int16]
) -> NDArray[np.floating]:
    """Return 1 / rank: rank-based prioritised replay (Schaul et al. 2016), which no outlier and no scale changes."""
    return inverse_ranks(values)


def cycle(
    values: NDArray[np.floating], last_read: NDArray[np.int32], sources: NDArray[np.int16]
) -> NDArray[np.floating]:
    """Return 1 / rank of z-scores within the cycle of the last reading: early cycles have high losses."""
    return inverse_ranks(z_scores(values, last_read))


def source(
    values: NDArray[np.floating], last_read: NDArray[np.int32], sources: NDArray[np.int16]
) -> NDArray[np.floating]:
    """Return 1 / rank of z-scores within the source: some sources have higher losses than others."""
    return inverse_ranks(z_scores(values, sources))


NORMALISATIONS: dict[str, Normalisation] = {"cycle": cycle, "none": none, "rank": rank, "source": source}
"""Name of `sleep.replay.normalise` -> function (values, last_read, sources) -> (C,) numbers >= 0 for values >= 0.

All but `none` take values of any sign. `values` are (C,) finite; `last_read` is (C,) the cycle of each candidate's last
reading, >= 0; `sources` is (C,) its source, >= 0.
"""


BLOCK = 2**18
"""Candidates that are treated at a time: fresh memory for intermediate results of all would take longer than sums."""

INDEX = np.uint64(2**32 - 1)
"""Bits of a key that hold an index; those above hold a value."""


def z_scores(values: NDArray[np.floating], groups: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return (value - mean of its group) / standard deviation of its group, (C,); 0 where all of a group are equal.

    Args:
        values: (C,) finite.
        groups: (C,) small integers >= 0.
    """
    size = int(groups.max()) + 1
    counts, sums, squares = (np.zeros(size) for _ in range(3))
    result = np.empty(len(values), np.float32)
    blocks = [slice(*block) for block in _blocks(len(values))]
    for block in blocks:
        counts += np.bincount(groups[block], minlength=size)
        sums += np.bincount(groups[block], values[block], minlength=size)
    means = sums / np.maximum(counts, 1)
    for block in blocks:
        result[block] = values[block] - means[groups[block]]
        squares += np.bincount(groups[block], np.square(result[block], dtype=np.float64), minlength=size)
    scales = 1 / np.sqrt(np.where(squares == 0, np.inf, squares) / np.maximum(counts, 1))
    for block in blocks:
        result[block] *= scales[groups[block]]
    return result


def inverse_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 1 / rank of each value, (C,): 1 for the highest. Equal values have the mean of their ranks.

    Values are compared as float32. A value and its index are sorted as one integer, several times as fast as argsort.

    Args:
        values: (C,) finite, 1 <= C < 2^32.
    """
    keys, result = np.empty(len(values), np.uint64), np.empty(len(values), np.float64)
    for start, stop in _blocks(len(keys)):
        bits = np.add(values[start:stop], 0.0, dtype=np.float32, casting="same_kind").view(np.uint32)  # -0 becomes 0
        # The bits of negative floats rise as the floats fall; those of positive ones do where they are turned over.
        falling = np.where(bits >> np.uint32(31), bits, ~bits & np.uint32(0x7FFFFFFF)).astype(np.uint64)
        keys[start:stop] = falling << np.uint64(32) | np.arange(start, stop, dtype=np.uint64)
    keys.sort()
    ties: list[NDArray[np.intp]] = []  # places whose value equals that of the next place
    for start, stop in _blocks(len(keys)):
        result[keys[start:stop] & INDEX] = 1.0 / np.arange(start + 1, stop + 1)
        and_next = keys[start : stop + 1]
        ties.append(start + np.flatnonzero((and_next[1:] ^ and_next[:-1]) <= INDEX))
    tied = np.concatenate(ties)
    if len(tied):
        gaps = np.flatnonzero(np.diff(tied) > 1)
        first, last = tied[np.append(0, gaps + 1)], tied[np.append(gaps, len(tied) - 1)] + 1
        counts = last - first + 1
        equal = np.repeat(last + 1 - np.cumsum(counts), counts) + np.arange(counts.sum())
        result[keys[equal] & INDEX] = np.repeat(2.0 / (first + last + 2), counts)
    return result


def _blocks(count: int) -> list[tuple[int, int]]:
    """Return the first index of each block of `count` candidates, and that after its last."""
    return [(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]
