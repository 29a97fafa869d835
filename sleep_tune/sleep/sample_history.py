"""The history of every sample in a run: its score, its last wake reading, and how often it has been trained on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sleep_tune.errors import Diverged, ScoresMissing
from sleep_tune.sleep.refresh import Refresh

__all__ = ["SampleHistory"]


class SampleHistory:
    """Scores, last readings and exposures of N samples.

    A fold's losses are summed while it is read, and become scores once all of them are there (`update_scores`). Losses
    of replayed samples, if they count, move scores at the same moment.

    Attributes:
        scores: (N,) float32, mean loss over a sample's predicted positions when last read awake, in nats; 0 before.
        previous: (N,) float32, the score before the last change; equal to the score where there was none.
        last_read: (N,) int32, cycle of that reading, from 0; -1 before the first.
        times_seen: (N,) int32, readings and replays so far.
    """

    def __init__(self, num_samples: int, refresh: float = 0.0) -> None:
        """Begin a run.

        Args:
            num_samples: N, >= 1.
            refresh: weight of the loss of each replay in the score, in [0, 1]; 0: losses of replays are not expected.
        """
        self.scores = np.zeros(num_samples, np.float32)
        self.previous = np.zeros(num_samples, np.float32)
        self.last_read = np.full(num_samples, -1, np.int32)
        self.times_seen = np.zeros(num_samples, np.int32)
        self._loss_sums = np.zeros(num_samples, np.float64)
        self._predicted = np.zeros(num_samples, np.int64)
        self._awaiting = np.zeros(num_samples, np.bool_)
        self._refresh = Refresh(num_samples, refresh) if refresh else None

    def mark_read(self, samples: NDArray[np.int32], *, has_text: NDArray[np.bool_]) -> None:
        """Record that samples were handed out awake; their losses are expected from now on.

        Args:
            samples: (R,) distinct samples, in [0, N).
            has_text: (R,) False where a sample holds nothing to predict: no loss is expected, and its score is 0.
        """
        self._awaiting[samples] = True
        self.times_seen[samples] += 1
        if not has_text.all():
            self._predicted[samples[~has_text]] = 1

    def mark_replayed(self, samples: NDArray[np.int32]) -> None:
        """Record that samples, (R,) in [0, N), were handed out asleep; one that is there twice counts twice."""
        np.add.at(self.times_seen, samples, 1)

    def add_losses(
        self,
        sample_ids: ArrayLike,
        loss_sums: ArrayLike,
        num_predicted: ArrayLike,
        replays: ArrayLike | None = None,
    ) -> None:
        """Add losses of samples that were read and have no new score yet, or replayed, in any number of pieces.

        Sums are taken one entry after another, so that pieces give the same bits as the whole.

        Args:
            sample_ids: (M,) integers in [0, N), repeats allowed.
            loss_sums: (M,) summed losses in nats.
            num_predicted: (M,) number of predicted positions that each sum is over.
            replays: (M,) passes over the buffer before that of each loss, in the order of replay; -1 where the sample
                was read awake. None: all were.

        Raises:
            ValueError: the shapes differ, or a sample read awake is not of the fold being read.
        """
        ids = np.asarray(sample_ids)
        losses = np.asarray(loss_sums, dtype=np.float64)
        counts = np.asarray(num_predicted, dtype=np.int64)
        passes = np.full(ids.shape, -1) if replays is None else np.asarray(replays)
        if not (ids.ndim == 1 and ids.shape == losses.shape == counts.shape == passes.shape):
            shapes = ", ".join(str(array.shape) for array in (ids, losses, counts, passes))
            raise ValueError(f"losses must be 1-D arrays of one length; got shapes {shapes}")
        if not len(ids):
            return
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= len(self.scores):
            raise ValueError(f"sample ids must be in [0, {len(self.scores)}); got {low} to {high}")
        replayed = passes >= 0
        if replayed.any():
            if self._refresh is not None:
                self._refresh.add(ids[replayed], losses[replayed], counts[replayed], passes[replayed])
            ids, losses, counts = ids[~replayed], losses[~replayed], counts[~replayed]
        unexpected = ids[~self._awaiting[ids]]
        if len(unexpected):
            raise ValueError(
                f"sample {unexpected[0]} is not in the fold being read, or its score has been computed already: "
                "no loss is expected for it"
            )
        np.add.at(self._loss_sums, ids, losses)
        np.add.at(self._predicted, ids, counts)

    def count_missing(self, samples: NDArray[np.int32]) -> int:
        """Return how many of these samples, (R,) in [0, N), have no loss yet."""
        return len(samples) - int(np.count_nonzero(self._predicted[samples]))

    def update_scores(self, samples: NDArray[np.int32], cycle: int) -> None:
        """Turn the losses of a fold that was read, and of the replays since the last one, into scores.

        Args:
            samples: (R,) the distinct samples of the fold.
            cycle: the fold's cycle, from 0.

        Raises:
            ScoresMissing: a sample has no loss yet; nothing has changed.
            Diverged: a score is NaN or infinite.
        """
        missing = self.count_missing(samples)
        if missing:
            raise ScoresMissing(f"cycle {cycle}: {missing} of {len(samples)} samples read awake have no score yet")
        scores = self._loss_sums[samples] / self._predicted[samples]
        if not np.isfinite(scores).all():
            raise Diverged(f"cycle {cycle}: the loss of a sample read awake is not finite")
        if self._refresh is not None:
            self._refresh.apply(self.scores, self.previous)
        self.previous[samples] = np.where(self.last_read[samples] < 0, scores, self.scores[samples])
        self.scores[samples] = scores
        self.last_read[samples] = cycle
        self._loss_sums[samples] = 0.0
        self._predicted[samples] = 0
        self._awaiting[samples] = False

    def state_dict(self, awaited: NDArray[np.int32]) -> dict[str, Any]:
        """Return what `load_state_dict` needs, as arrays.

        Args:
            awaited: (A,) samples of the fold being read, whose sums of losses are kept too.
        """
        state = {
            "scores": self.scores.copy(),
            "previous": self.previous.copy(),
            "last_read": self.last_read.copy(),
            "times_seen": self.times_seen.copy(),
            "loss_sums": self._loss_sums[awaited],
            "predicted": self._predicted[awaited],
        }
        return state if self._refresh is None else state | self._refresh.state_dict()

    def load_state_dict(self, state: Mapping[str, Any], awaited: NDArray[np.int32]) -> None:
        """Restore what `state_dict` returned for the same awaited samples.

        Raises:
            ValueError: the state is of another number of samples.
        """
        if np.shape(state["scores"]) != self.scores.shape or np.shape(state["loss_sums"]) != awaited.shape:
            raise ValueError(
                f"the state is of {len(state['scores'])} samples, {len(state['loss_sums'])} of them awaited; "
                f"this run has {len(self.scores)} and {len(awaited)}"
            )
        self.scores[:] = state["scores"]
        self.previous[:] = state.get("previous", self.scores)  # an earlier version kept none
        self.last_read[:] = state["last_read"]
        self.times_seen[:] = state["times_seen"]
        self._loss_sums[:], self._predicted[:], self._awaiting[:] = 0.0, 0, False
        self._loss_sums[awaited] = state["loss_sums"]
        self._predicted[awaited] = state["predicted"]
        self._awaiting[awaited] = True
        if self._refresh is not None:
            self._refresh.load_state_dict(state)
