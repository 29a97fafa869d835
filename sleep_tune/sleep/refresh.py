"""Scores that replay keeps up to date: each replay of a sample moves its score towards its loss in that replay."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import Diverged

__all__ = ["Refresh"]


class Refresh:
    """Losses of replayed samples, collected until the scores are next updated.

    A replay of a sample, whose loss is l, moves its score s to (1 - share) s + share l. One replay is one pass over a
    buffer, in which a sample may be cut into several rows. Losses come in the order of replays, in any number of
    pieces; the scores themselves change only in `apply`, so that they do not depend on when losses come.
    """

    def __init__(self, num_samples: int, share: float) -> None:
        """Begin without losses.

        Args:
            num_samples: N, >= 1.
            share: weight of a replay's loss in the score, in (0, 1].
        """
        self._share = share
        self._replay = -1  # the replay whose losses are being added
        self._loss_sums = np.zeros(num_samples, np.float64)
        self._predicted = np.zeros(num_samples, np.int64)
        self._kept = np.ones(num_samples, np.float64)  # weight of the old score in the new one
        self._moved = np.zeros(num_samples, np.float64)  # what is added to it

    def add(
        self,
        samples: NDArray[np.integer],
        loss_sums: NDArray[np.float64],
        num_predicted: NDArray[np.int64],
        replays: NDArray[np.integer],
    ) -> None:
        """Add losses.

        Args:
            samples: (M,) in [0, N), repeats allowed.
            loss_sums: (M,) summed losses in nats.
            num_predicted: (M,) number of predicted positions that each sum is over.
            replays: (M,) passes over the buffer before, >= 0; none before that of a loss that was added earlier.
        """
        for replay in np.unique(replays).tolist():
            if replay != self._replay:
                self._end_replay()
                self._replay = replay
            of_it = replays == replay
            np.add.at(self._loss_sums, samples[of_it], loss_sums[of_it])
            np.add.at(self._predicted, samples[of_it], num_predicted[of_it])

    def apply(self, scores: NDArray[np.float32], previous: NDArray[np.float32]) -> None:
        """Move the scores of all samples that were replayed since the last call.

        Args:
            scores: (N,) all scores; those of replayed samples are changed.
            previous: (N,) receives the scores that were changed, as they were before.

        Raises:
            Diverged: a loss is NaN or infinite.
        """
        self._end_replay()
        self._replay = -1
        moved = np.flatnonzero(self._kept < 1)
        previous[moved] = scores[moved]
        scores[moved] = self._kept[moved] * scores[moved] + self._moved[moved]
        self._kept[moved], self._moved[moved] = 1.0, 0.0

    def state_dict(self) -> dict[str, Any]:
        """Return what `load_state_dict` needs, as arrays and an integer."""
        samples = np.flatnonzero((self._kept < 1) | (self._predicted > 0))
        return {"replay": self._replay, "replayed": samples} | {
            f"replay{name}": getattr(self, name)[samples] for name in _ARRAYS
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned, in a refresh at its beginning."""
        self._replay = int(state["replay"])
        for name in _ARRAYS:
            getattr(self, name)[state["replayed"]] = state[f"replay{name}"]

    def _end_replay(self) -> None:
        """Turn the losses of the current replay into what moves the scores."""
        samples = np.flatnonzero(self._predicted)
        losses = self._loss_sums[samples] / self._predicted[samples]
        if not np.isfinite(losses).all():
            raise Diverged("the loss of a replayed sample is not finite")
        self._kept[samples] *= 1 - self._share
        self._moved[samples] = (1 - self._share) * self._moved[samples] + self._share * losses
        self._loss_sums[samples] = 0.0
        self._predicted[samples] = 0


_ARRAYS = ("_loss_sums", "_predicted", "_kept", "_moved")
