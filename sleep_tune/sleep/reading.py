"""One pass over the corpus, awake: its order, its batches and their words, its folds. Knows no sleep."""

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.budget import SleepPlan
from sleep_tune.sleep.folds import pass_order, split_folds
from sleep_tune.sleep.samples import Samples

__all__ = ["Reading"]


class Reading:
    """A pass: batch b reads `rows(b, b + 1)`; fold k is batches [bounds[k], bounds[k + 1]).

    Attributes:
        order: (N,) the samples as they are read.
        words: words of each batch, one for every batch of the pass.
        bounds: K + 1 batch numbers where folds begin and end.
    """

    def __init__(self, samples: Samples, plan: SleepPlan, *, seed: int, pass_index: int) -> None:
        self.order = pass_order(len(samples), seed=seed, pass_index=pass_index)
        starts = np.arange(0, len(samples), plan.batch_size)
        self.words: list[int] = np.add.reduceat(samples.words[self.order], starts, dtype=np.int64).tolist()
        self.bounds: list[int] = split_folds(plan.batches_per_pass, plan.folds).tolist()
        self._batch_size = plan.batch_size

    def rows(self, start: int, stop: int) -> NDArray[np.int32]:
        """The samples of batches [start, stop), in order; only the pass's last batch may be short."""
        return self.order[start * self._batch_size : stop * self._batch_size]
