"""A batch, as it is handed out. The phase travels with it. Knows nothing of how it came about."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows to train on, with the phase they belong to."""

    phase: str
    """'wake' or 'sleep'."""
    index: int
    """Batches before it in the run; names the random stream of its masks."""
    cycle: int
    """Cycles before this one in the run."""
    pass_index: int
    """Passes before this one."""
    fold: int
    """Folds before this one in the pass."""
    input_ids: NDArray[np.int32]
    """(R, T) tokens; R is the batch size, but for the last batch of N rows awake, and of N rows asleep."""
    sample_ids: NDArray[np.int32]
    """(R, T) the sample of each text token; -1 on special tokens and padding."""
    words: int
    """Words that begin in the batch."""
