"""Replay signals: the number of each sample that its priority is made of.

A signal is a function (history, samples) -> (C,) numbers; `SIGNALS` is the only list of them.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.sample_history import SampleHistory

__all__ = ["SIGNALS", "SIGNED", "Signal"]

Signal = Callable[[SampleHistory, NDArray[np.integer]], NDArray[np.floating]]


def score(history: SampleHistory, samples: NDArray[np.integer]) -> NDArray[np.floating]:
    """Return the samples' scores."""
    scores: NDArray[np.float32] = history.scores[samples]
    return scores


def progress(history: SampleHistory, samples: NDArray[np.integer]) -> NDArray[np.floating]:
    """Return by how much the score last fell (Graves et al. 2017); 0 for a sample that has had one score only."""
    fall: NDArray[np.float32] = history.previous[samples] - history.scores[samples]
    return fall


SIGNALS: dict[str, Signal] = {"excess": score, "loss": score, "progress": progress}
"""Name of `sleep.replay.signal` -> function (history, samples) -> (C,) numbers in nats; `samples` is (C,).

With `excess` the losses that the scores are made of are excess losses already: those of the model less those of a
reference model at the same positions (RHO-LOSS, Mindermann et al. 2022, arXiv 2206.07137).
"""

SIGNED = frozenset({"excess", "progress"})
"""Signals that may be negative: no power of them is a priority, only one of their ranks."""
