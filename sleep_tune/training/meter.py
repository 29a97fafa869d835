"""Mean loss by phase since the last line of the log, kept on the device until it is needed."""

import math

import torch

from sleep_tune.errors import Diverged
from sleep_tune.sleep.stream import PHASES
from sleep_tune.training.process_group import ProcessGroup

__all__ = ["LossMeter"]

EXPLODED = 2.0
"""A loss this many times that of guessing uniformly, or of the run's first batch, counts as diverged."""


class LossMeter:
    """Mean loss of batches by phase. Only `take` and `state_dict` wait for the device.

    Attributes:
        latest: mean over both phases at the last `take`, in nats; None before the first.
        highest: loss above which the run counts as diverged.
    """

    def __init__(self, vocab_size: int, processes: ProcessGroup, device: torch.device) -> None:
        """Begin without batches.

        Args:
            vocab_size: the loss of guessing uniformly is log(vocab_size) nats.
            processes: the group whose shares of a batch are averaged.
            device: of the losses.
        """
        self.latest: float | None = None
        self.highest = EXPLODED * math.log(vocab_size)
        self._processes = processes
        dtype = torch.float32 if device.type == "mps" else torch.float64  # which the GPU of a Mac does not have
        self._sums = torch.zeros(len(PHASES), dtype=dtype, device=device)
        self._counts = [0, 0]
        self._first: torch.Tensor | None = None

    def add(self, loss: torch.Tensor, phase: str) -> None:
        """Add one batch.

        Args:
            loss: detached scalar on the device, this process's share of the mean loss, in nats.
            phase: 'wake' or 'sleep'.
        """
        if self._first is None:
            self._first = loss.clone()
        index = PHASES.index(phase)
        self._sums[index] += loss
        self._counts[index] += 1

    @property
    def num_batches(self) -> int:
        """Batches added since the last `take`."""
        return sum(self._counts)

    def take(self) -> dict[str, float]:
        """Return the means since the last call: `loss`, and `loss/wake` and `loss/sleep` where there were such batches.

        Raises:
            Diverged: the mean is NaN, infinite, or above `highest`.
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
        """Return what a resumed run needs to log the same next line; all processes must call this together."""
        return {
            "latest": self.latest,
            "highest": self.highest,
            "first": self._beginning(),
            "sums": self._means(),
            "counts": self._counts,
        }

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Restore what `state_dict` returned."""
        self.latest = state["latest"]  # type: ignore[assignment]
        self.highest = float(state["highest"])  # type: ignore[arg-type]
        self._first = torch.tensor(state["first"])
        self._sums = torch.tensor(state["sums"], dtype=self._sums.dtype, device=self._sums.device)
        self._counts = list(state["counts"])  # type: ignore[call-overload]

    def _means(self) -> list[float]:
        """Return the sum of losses of each phase, averaged over processes."""
        sums = self._processes.all_gather(self._sums.tolist())
        return [sum(column) / len(sums) for column in zip(*sums, strict=True)]

    def _beginning(self) -> float:
        """Return the loss of the run's first batch: that of the initial weights."""
        first = math.inf if self._first is None else float(self._first)
        return float(max(self._processes.all_gather(first)))
