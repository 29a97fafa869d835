"""From the stream to the device and back: batches masked, as tensors; the losses of what was read awake, as scores.

Words and phases are the stream's; this module only asks. Knows no model and no optimizer.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sleep_tune.config.schema import MaskingConfig
from sleep_tune.data.masking import mask_batch
from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.stream import SleepStream
from sleep_tune.training.peers import Peers

__all__ = ["Feed", "Prepared"]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """This process's share of a batch: R of its rows of T tokens, with M predictions, on the device."""

    batch: Batch
    """The whole batch, whose phase travels with it."""
    input_ids: torch.Tensor
    """(R, T) int64, what the model sees."""
    attention_mask: torch.Tensor | None
    """(R, T) int64, 0 at padding; None where nothing is padded."""
    positions: torch.Tensor
    """(M,) int64, flat indices of the predicted positions in these rows."""
    labels: torch.Tensor
    """(M,) int64, the tokens that stood there."""
    sample_ids: NDArray[np.int32]
    """(M,) the sample that each predicted position belongs to."""
    divisor: float
    """What the sum of losses is divided by, so that the mean over processes is the mean over the batch's positions."""


class Feed:
    """Batches of the stream for one process, and the wake losses on their way back.

    Losses stay on the device until the stream needs them, so that no step waits for the device. A batch's masks are
    drawn for all of its rows, whichever process trains them: N processes read what one would with N times the batch.

    Attributes:
        stream: where the batches come from.
        num_tokens: tokens handed to models so far, padding included, over all processes.
        num_predicted: positions predicted so far, over all processes.
    """

    def __init__(
        self,
        stream: SleepStream,
        samples: Samples,
        masking: MaskingConfig,
        *,
        seed: int,
        device: torch.device,
        peers: Peers,
    ) -> None:
        """Stand before the stream.

        Args:
            stream: fresh, or restored to where the run goes on.
            samples: the corpus that the stream reads.
            masking: which positions are predicted.
            seed: names the random streams of masks.
            device: where tensors go.
            peers: the processes that share each batch.
        """
        self.stream = stream
        self.num_tokens = 0
        self.num_predicted = 0
        self._samples = samples
        self._masking = masking
        self._seed = seed
        self._device = device
        self._peers = peers
        self._pending: list[tuple[NDArray[np.int32], torch.Tensor]] = []

    def __iter__(self) -> Iterator[Prepared]:
        """Hand out what is left of the run."""
        while (prepared := self.next()) is not None:
            yield prepared

    def next(self) -> Prepared | None:
        """The next batch, or None when the budget is spent. Brings the stream the scores that it waits for first."""
        if self.stream.needs_scores:
            self.flush()
        batch = self.stream.next_batch()
        return None if batch is None else self._prepare(batch)

    def record(self, prepared: Prepared, losses: torch.Tensor) -> None:
        """Keep the losses of a batch read awake, if scores are needed.

        Args:
            prepared: what `next` handed out.
            losses: (M,) loss at each predicted position in nats, detached.
        """
        if prepared.batch.phase == "wake" and self.stream.plan.sleeps and math.isfinite(prepared.divisor):
            self._pending.append((prepared.sample_ids, losses))

    def flush(self) -> None:
        """Bring the stream every loss that was kept; the one place where training waits for the device."""
        pending, self._pending = self._pending, []
        sample_ids = np.concatenate([ids for ids, _ in pending] or [np.empty(0, np.int32)])
        losses = torch.cat([losses for _, losses in pending] or [torch.empty(0)]).double().cpu().numpy()
        for ids, sums in self._peers.gather((sample_ids, losses)):
            self.stream.observe(ids, sums, np.ones(len(ids), np.int64))

    def _prepare(self, batch: Batch) -> Prepared:
        masking, special = self._masking, self._samples.special
        masked = mask_batch(
            batch.input_ids,
            special,
            self._samples.vocab_size,
            generator(self._seed, Purpose.MASK, batch.index),
            kind=masking.kind,
            probability=masking.probability,
            mask_share=masking.mask_share,
            random_share=masking.random_share,
        )
        self.num_tokens += masked.input_ids.size
        self.num_predicted += len(masked.positions)
        num_rows, length = masked.input_ids.shape
        first, last = (num_rows * rank // self._peers.size for rank in (self._peers.rank, self._peers.rank + 1))
        begin, end = np.searchsorted(masked.positions, (first * length, last * length))
        divisor = len(masked.positions) / self._peers.size
        if begin == end:
            # A short batch may leave a process without rows: it then lends its hand with a row that weighs nothing.
            first, last, begin, end, divisor = 0, 1, 0, 1, math.inf
        rows = slice(first, last)
        attended = batch.input_ids[rows] != special.pad
        positions = masked.positions[begin:end]
        return Prepared(
            batch=batch,
            input_ids=self._move(masked.input_ids[rows]),
            attention_mask=None if attended.all() else self._move(attended.astype(np.int64)),
            positions=self._move(positions - first * length),
            labels=self._move(masked.labels[begin:end]),
            sample_ids=batch.sample_ids.reshape(-1)[positions],
            divisor=divisor,
        )

    def _move(self, array: NDArray[np.int64]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor
