"""Random streams of a run: every draw is a function of (seed, purpose, indices), never of a global generator."""

import enum

import numpy as np

__all__ = ["Purpose", "generator"]


class Purpose(enum.IntEnum):
    """Purpose of a stream of random numbers. The integers must never change: every run depends on them.

    They begin at 1, because `np.random.default_rng(seed)` is the stream of [seed, 0, 0].
    """

    ORDER = 1
    """Order of the samples in a pass; index: the pass."""
    BUFFER = 2
    """Which candidates enter a buffer; indices: the cycle, the passes over earlier buffers of the cycle."""
    REPLAY_ORDER = 3
    """Order of the buffer in one pass over it; indices: the cycle, the pass over the buffer."""
    CONTEXT = 4
    """How that pass is cut anew or shuffled; indices: the cycle, the pass over the buffer."""
    MASK = 5
    """Which positions are predicted; index: the batch."""
    INIT = 6
    """The model's first weights."""
    DROPOUT = 7
    """Which elements dropout drops; indices: the batch, the process among those that train the run."""
    EVALUATION = 8
    """Which rows, masks and pairs an evaluation draws."""
    MATCHED = 9
    """Order of the exposures in a run that is matched to another one."""


def generator(seed: int, purpose: Purpose, *indices: int) -> np.random.Generator:
    """Return the random stream for one purpose and place; the order of calls does not matter.

    Two streams whose indices differ only by zeros at the end are equal (numpy's SeedSequence pads with zeros), so each
    purpose always takes the same number of indices.

    Usage: `generator(seed, Purpose.ORDER, pass_index).shuffle(samples)`

    Args:
        seed: the run's seed, >= 0.
        purpose: the use of the numbers.
        *indices: which pass, cycle or batch, each >= 0.
    """
    return np.random.default_rng([seed, int(purpose), *indices])
