"""One wake pass over the corpus: the order of its samples, its batches and its folds."""

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.samples import Samples

__all__ = ["WakePass", "pass_order", "split_folds"]


class WakePass:
    """A pass: piece b reads `rows(b, b + 1)`; fold k is pieces [bounds[k], bounds[k + 1]).

    A piece is a batch; or a row, in a run whose batches hold other rows too. The folds are the same.

    Attributes:
        order: (N,) int32, a permutation of the samples: the order in which they are read.
        words: (B,) int64, words that begin in each of the B pieces.
        bounds: K + 1 numbers of pieces where folds begin and end, from 0 to B.
    """

    def __init__(
        self, samples: Samples, plan: SleepPlan, *, seed: int, pass_index: int, piece: int | None = None
    ) -> None:
        """Draw the order of the pass, a function of (seed, pass_index).

        Args:
            samples: the corpus, N rows.
            plan: for its batch size and its K folds.
            seed: the run's seed, >= 0.
            pass_index: passes before this one, >= 0.
            piece: rows in a piece, a divisor of the batch size; None: the batch size.
        """
        self.order = pass_order(len(samples), seed=seed, pass_index=pass_index)
        self._piece = piece or plan.batch_size
        starts = np.arange(0, len(samples), self._piece)
        self.words = np.add.reduceat(samples.words[self.order], starts, dtype=np.int64)
        batches = split_folds(plan.batches_per_pass, plan.folds)
        pieces_per_batch = plan.batch_size // self._piece
        self.bounds: list[int] = np.minimum(batches * pieces_per_batch, len(starts)).tolist()

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """Return the samples of pieces [start, stop) in order, (R,) int32; only the pass's last piece may be short."""
        return self.order[start * self._piece : stop * self._piece]


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
