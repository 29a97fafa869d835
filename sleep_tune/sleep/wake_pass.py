"""One wake pass over the corpus: the order of its samples, its batches and its folds."""

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.samples import Samples

__all__ = ["WakePass", "pass_order", "split_folds"]


class WakePass:
    """A pass: batch b reads `rows(b, b + 1)`; fold k is batches [bounds[k], bounds[k + 1]).

    Attributes:
        order: (N,) int32, a permutation of the samples: the order in which they are read.
        words: words that begin in each batch, one number for each of the ceil(N / batch_size) batches.
        bounds: K + 1 batch numbers where folds begin and end, from 0 to ceil(N / batch_size).
    """

    def __init__(self, samples: Samples, plan: SleepPlan, *, seed: int, pass_index: int) -> None:
        """Draw the order of the pass, a function of (seed, pass_index).

        Args:
            samples: the corpus, N rows.
            plan: for its batch size and its K folds.
            seed: the run's seed, >= 0.
            pass_index: passes before this one, >= 0.
        """
        self.order = pass_order(len(samples), seed=seed, pass_index=pass_index)
        starts = np.arange(0, len(samples), plan.batch_size)
        self.words: list[int] = np.add.reduceat(samples.words[self.order], starts, dtype=np.int64).tolist()
        self.bounds: list[int] = split_folds(plan.batches_per_pass, plan.folds).tolist()
        self._batch_size = plan.batch_size

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """Return the samples of batches [start, stop) in order, (R,) int32; only the pass's last batch may be short."""
        return self.order[start * self._batch_size : stop * self._batch_size]


def pass_order(num_samples: int, *, seed: int, pass_index: int) -> NDArray[np.int32]:
    """Return the order in which a pass reads the samples: a permutation of [0, N), (N,) int32.

    Args:
        num_samples: N, >= 1.
        seed: the run's seed, >= 0.
        pass_index: passes before this one, >= 0.
    """
    samples = np.arange(num_samples, dtype=np.int32)
    generator(seed, Purpose.ORDER, pass_index).shuffle(samples)
    return samples


def split_folds(num_batches: int, folds: int) -> NDArray[np.int64]:
    """Return where each fold begins, in batches, (K + 1,) int64: fold k is batches [bounds[k], bounds[k + 1]).

    Whole batches are split, so that the number of folds changes neither the updates of a pass nor their shapes. Any two
    folds differ by at most one batch.

    Args:
        num_batches: batches in a pass, >= 1.
        folds: K, in [1, num_batches].

    Raises:
        ValueError: `folds` is out of range.
    """
    if not 1 <= folds <= num_batches:
        raise ValueError(f"folds must be in [1, {num_batches}], the batches of a pass; got {folds}")
    return np.arange(folds + 1, dtype=np.int64) * num_batches // folds
