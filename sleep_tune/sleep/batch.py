"""One batch of the sleep stream: its rows, and the phase that they belong to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """R rows of T tokens to train on, with their place in the run."""

    phase: str
    """'wake' or 'sleep'."""
    index: int
    """Batches before it in the run; also selects the random stream of its masks."""
    cycle: int
    """Cycles before this one in the run, from 0."""
    pass_index: int
    """Passes over the corpus before this one, from 0."""
    fold: int
    """Folds before this one in the pass, in [0, K)."""
    input_ids: NDArray[np.int32]
    """(R, T) token ids; R is the batch size, or less in the last batch of each N rows awake and of each N asleep."""
    sample_ids: NDArray[np.int32]
    """(R, T) the sample that each text token comes from; -1 on special tokens and padding."""
    words: int
    """Words that begin in the batch."""
    replays: NDArray[np.int32] | None = None
    """(R,) passes over the buffer before that of each row; -1 for a row that is read awake. None: all are."""
