"""Losses of the batches since the last line of the log, kept on the device. Knows no file and no schedule."""

import math

import torch

from sleep_tune.errors import Diverged
from sleep_tune.training.peers import Peers

__all__ = ["PHASES", "LossMeter"]

PHASES = ("wake", "sleep")
EXPLODED = 2.0
"""A loss this many times that of guessing uniformly, or of the run's first batch, counts as diverged."""


class LossMeter:
    """Mean loss by phase. Adding never waits for the device; taking does.

    Attributes:
        latest: what was taken last: the mean over both phases in nats; None before.
        highest: loss above which the run counts as diverged.
    """

    def __init__(self, vocab_size: int, peers: Peers, device: torch.device) -> None:
        """Begin with nothing.

        Args:
            vocab_size: guessing uniformly among so many tokens costs log(vocab_size) nats.
            peers: the processes whose shares of a batch are averaged.
            device: where the losses are.
        """
        self.latest: float | None = None
        self.highest = EXPLODED * math.log(vocab_size)
        self._peers = peers
        self._sums = torch.zeros(len(PHASES), dtype=torch.float64, device=device)
        self._counts = [0, 0]
        self._first: torch.Tensor | None = None

    def add(self, loss: torch.Tensor, phase: str) -> None:
        """Count one batch's loss: a detached scalar on the device, this process's share of it."""
        if self._first is None:
            self._first = loss.clone()
        index = PHASES.index(phase)
        self._sums[index] += loss
        self._counts[index] += 1

    @property
    def num_batches(self) -> int:
        """Batches counted since last taken."""
        return sum(self._counts)

    def take(self) -> dict[str, float]:
        """The means since last taken: `loss` over all batches, `loss/wake` and `loss/sleep` where there were any.

        Raises:
            Diverged: the mean is NaN or infinite, or has exploded.
        """
        sums, counts = self._means(), self._counts
        self._sums.zero_()
        self._counts = [0, 0]
        mean = sum(sums) / sum(counts)
        if not math.isfinite(mean):
            raise Diverged(f"the training loss must stay finite; it became {mean}: lower training.learning_rate")
        if self.latest is None:
            self.highest = max(self.highest, EXPLODED * self._beginning())
        if mean > self.highest:
            raise Diverged(
                f"the training loss must stay below {self.highest:.3g} nats, {EXPLODED:g} times that of guessing "
                f"or of the run's beginning; it rose to {mean:.3g}: lower training.learning_rate"
            )
        self.latest = mean
        by_phase = zip(PHASES, sums, counts, strict=True)
        return {"loss": mean} | {f"loss/{phase}": total / count for phase, total, count in by_phase if count}

    def state_dict(self) -> dict[str, object]:
        """What a resumed run needs for its next line to be the same; every process must ask at once."""
        return {
            "latest": self.latest,
            "highest": self.highest,
            "first": self._beginning(),
            "sums": self._means(),
            "counts": self._counts,
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Go on where `state_dict` was called."""
        self.latest = state["latest"]  # type: ignore[assignment]
        self.highest = float(state["highest"])  # type: ignore[arg-type]
        self._first = torch.tensor(state["first"])
        self._sums = torch.tensor(state["sums"], dtype=torch.float64, device=self._sums.device)
        self._counts = list(state["counts"])  # type: ignore[call-overload]

    def _means(self) -> list[float]:
        """Sum of losses by phase, averaged over processes."""
        return [sum(column) / self._peers.size for column in zip(*self._peers.gather(self._sums.tolist()), strict=True)]

    def _beginning(self) -> float:
        """Loss of the run's first batch: that of the weights as they were drawn."""
        first = math.inf if self._first is None else float(self._first)
        return float(max(self._peers.gather(first)))
