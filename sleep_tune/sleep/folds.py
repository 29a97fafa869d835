"""A pass over the corpus: a fresh order, cut into batches, the batches into folds. Knows no words and no scores."""

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.randomness import Purpose, generator

__all__ = ["pass_order", "split_folds"]


def pass_order(num_samples: int, *, seed: int, pass_index: int) -> NDArray[np.int32]:
    """The order in which a pass reads the samples: a permutation, shape (N,).

    Args:
        num_samples: N, >= 1.
        seed: names the run.
        pass_index: passes before this one.
    """
    samples = np.arange(num_samples, dtype=np.int32)
    generator(seed, Purpose.ORDER, pass_index).shuffle(samples)
    return samples


def split_folds(num_batches: int, folds: int) -> NDArray[np.int64]:
    """Where each fold begins, in batches, shape (K + 1,): fold k is batches [bounds[k], bounds[k + 1]).

    Whole batches are split, so that the number of folds changes neither the updates of a pass nor their shapes; any
    two folds differ by at most one batch.

    Args:
        num_batches: batches in a pass.
        folds: K, in [1, num_batches].

    Raises:
        ValueError: `folds` is out of range.
    """
    if not 1 <= folds <= num_batches:
        raise ValueError(f"folds must be in [1, {num_batches}], the batches of a pass; got {folds}")
    return np.arange(folds + 1, dtype=np.int64) * num_batches // folds
