"""Replay signals: the number of each sample that its priority is made of.

A signal is a function (samples, scores, previous) -> (C,) numbers; `SIGNALS` is the only list of them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["SIGNALS", "SIGNED", "Signal"]

Signal = Callable[[NDArray[np.integer], NDArray[np.float32], NDArray[np.float32]], NDArray[np.float32]]


def score(
    samples: NDArray[np.integer], scores: NDArray[np.float32], previous: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return the samples' scores."""
    return scores


def progress(
    samples: NDArray[np.integer], scores: NDArray[np.float32], previous: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return by how much the score last fell (Graves et al. 2017); 0 for a sample that has had one score only."""
    fall: NDArray[np.float32] = previous[samples] - scores
    return fall


SIGNALS: dict[str, Signal] = {"excess": score, "loss": score, "progress": progress}
"""Name of `sleep.replay.signal` -> function (samples, scores, previous) -> (C,) numbers in nats.

`samples` are (C,) in [0, N); `scores` is (C,) the score of each, `previous` is (N,) the score of every sample before.

With `excess` the losses that the scores are made of are excess losses already: those of the model less those of a
reference model at the same positions (RHO-LOSS, Mindermann et al. 2022, arXiv 2206.07137).
"""

SIGNED = frozenset({"excess", "progress"})
"""Signals that may be negative: no power of them is a priority, only one of their ranks."""
