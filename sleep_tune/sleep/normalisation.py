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


def z_scores(values: NDArray[np.floating], groups: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return (value - mean of its group) / standard deviation of its group, (C,); 0 where all of a group are equal.

    Args:
        values: (C,) finite.
        groups: (C,) small integers >= 0.
    """
    counts = np.maximum(np.bincount(groups), 1)
    centred: NDArray[np.float64] = values - (np.bincount(groups, weights=values) / counts)[groups]
    deviations = np.sqrt(np.bincount(groups, weights=np.square(centred)) / counts)
    deviations[deviations == 0] = 1.0
    centred /= deviations[groups]
    return centred


def inverse_ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return 1 / rank of each value, (C,): 1 for the highest. Equal values have the mean of their ranks.

    Values are compared as float32. A value and its index are sorted as one integer, several times as fast as argsort.

    Args:
        values: (C,) finite, C < 2^32.
    """
    bits = np.add(values, 0.0, dtype=np.float32, casting="same_kind").view(np.uint32)  # -0 becomes 0
    # The bits of positive floats are ordered as the floats are, those of negative ones in reverse.
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF))
    keys = falling.astype(np.uint64)
    keys <<= np.uint64(32)
    keys |= np.arange(len(keys), dtype=np.uint64)
    keys.sort()
    places = keys.astype(np.uint32)  # the low 32 bits: indices, from the highest value to the lowest
    keys >>= np.uint64(32)
    begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    ends = np.append(begins[1:], len(keys))
    result = np.empty(len(keys), np.float64)
    result[places] = np.repeat(2.0 / (begins + ends + 1), ends - begins)
    return result
