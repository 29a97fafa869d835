"""What the run remembers of each sample: its score, when it was last read, how often it has been seen.

Knows neither batches nor words, and asks nobody for a score: they are brought to it.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleep_tune.errors import Diverged, ScoresMissing

__all__ = ["Memory"]


class Memory:
    """Scores of N samples. A fold's losses are summed while it is read, and become scores when it is settled.

    Attributes:
        scores: (N,) mean loss over a sample's predicted positions when last read awake, in nats.
        last_read: (N,) cycle of that reading, -1 before the first.
        times_seen: (N,) readings and replays so far.
    """

    def __init__(self, num_samples: int) -> None:
        self.scores = np.zeros(num_samples, np.float32)
        self.last_read = np.full(num_samples, -1, np.int32)
        self.times_seen = np.zeros(num_samples, np.int32)
        self._loss_sums = np.zeros(num_samples, np.float64)
        self._predicted = np.zeros(num_samples, np.int64)
        self._awaiting = np.zeros(num_samples, np.bool_)

    def read(self, samples: NDArray[np.int32], *, has_text: NDArray[np.bool_]) -> None:
        """Note that distinct samples were handed out awake: their losses are awaited.

        Args:
            samples: (R,) which.
            has_text: (R,) False where a sample holds nothing to predict: no loss will come, and its score is 0.
        """
        self._awaiting[samples] = True
        self.times_seen[samples] += 1
        if not has_text.all():
            self._predicted[samples[~has_text]] = 1

    def replay(self, samples: NDArray[np.int32]) -> None:
        """Note that samples were handed out asleep, each as often as it is named."""
        np.add.at(self.times_seen, samples, 1)

    def observe(self, sample_ids: ArrayLike, loss_sums: ArrayLike, num_predicted: ArrayLike) -> None:
        """Add losses of samples that were read and are not settled yet, in any number of pieces.

        Sums are taken one entry after another, so that pieces give the same bits as the whole.

        Args:
            sample_ids: (M,) integers, repeats allowed.
            loss_sums: (M,) summed losses in nats.
            num_predicted: (M,) how many positions each sum is over.

        Raises:
            ValueError: the shapes differ, or a sample's losses are not awaited.
        """
        ids = np.asarray(sample_ids)
        losses = np.asarray(loss_sums, dtype=np.float64)
        counts = np.asarray(num_predicted, dtype=np.int64)
        if not (ids.ndim == 1 and ids.shape == losses.shape == counts.shape):
            raise ValueError(
                f"observe takes three 1-D arrays of one length; got shapes {ids.shape}, {losses.shape}, {counts.shape}"
            )
        if not len(ids):
            return
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= len(self.scores):
            raise ValueError(f"sample ids must be in [0, {len(self.scores)}); got {low} to {high}")
        strangers = ids[~self._awaiting[ids]]
        if len(strangers):
            raise ValueError(
                f"sample {strangers[0]} is not of the fold being read, or its score has been made since: "
                "its losses are not awaited"
            )
        np.add.at(self._loss_sums, ids, losses)
        np.add.at(self._predicted, ids, counts)

    def num_missing(self, samples: NDArray[np.int32]) -> int:
        """How many of these samples no loss has arrived for."""
        return len(samples) - int(np.count_nonzero(self._predicted[samples]))

    def settle(self, samples: NDArray[np.int32], cycle: int) -> None:
        """Turn the losses of a fold that was read into scores; nothing changes if it cannot.

        Raises:
            ScoresMissing: a sample has no predicted position yet.
            Diverged: a score is NaN or infinite.
        """
        missing = self.num_missing(samples)
        if missing:
            raise ScoresMissing(f"cycle {cycle}: {missing} of {len(samples)} samples read awake have no score yet")
        scores = self._loss_sums[samples] / self._predicted[samples]
        if not np.isfinite(scores).all():
            raise Diverged(f"cycle {cycle}: the loss of a sample read awake is not finite")
        self.scores[samples] = scores
        self.last_read[samples] = cycle
        self._loss_sums[samples] = 0.0
        self._predicted[samples] = 0
        self._awaiting[samples] = False

    def state_dict(self, awaited: NDArray[np.int32]) -> dict[str, Any]:
        """Arrays from which `load_state_dict` restores this memory, given the samples whose losses are awaited."""
        return {
            "scores": self.scores.copy(),
            "last_read": self.last_read.copy(),
            "times_seen": self.times_seen.copy(),
            "loss_sums": self._loss_sums[awaited],
            "predicted": self._predicted[awaited],
        }

    def load_state_dict(self, state: Mapping[str, Any], awaited: NDArray[np.int32]) -> None:
        """Restore what `state_dict` returned.

        Raises:
            ValueError: the state is of another number of samples.
        """
        if np.shape(state["scores"]) != self.scores.shape or np.shape(state["loss_sums"]) != awaited.shape:
            raise ValueError(
                f"the state is of {len(state['scores'])} samples, {len(state['loss_sums'])} of them awaited; "
                f"this run has {len(self.scores)} and {len(awaited)}"
            )
        self.scores[:] = state["scores"]
        self.last_read[:] = state["last_read"]
        self.times_seen[:] = state["times_seen"]
        self._loss_sums[:], self._predicted[:], self._awaiting[:] = 0.0, 0, False
        self._loss_sums[awaited] = state["loss_sums"]
        self._predicted[awaited] = state["predicted"]
        self._awaiting[awaited] = True
