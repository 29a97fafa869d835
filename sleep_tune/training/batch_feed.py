"""Batches of the sleep stream, masked and moved to the device; and losses on their way back to the stream."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sleep_tune.config.schema import TrainingConfig
from sleep_tune.data.masking import Masked, mask_batch, probability_at
from sleep_tune.data.objectives import OBJECTIVES, is_causal_batch, predict_all, predict_masked
from sleep_tune.models.attention_masks import MaskMaker, square_mask
from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.batch_stream import BatchStream
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.samples import Samples
from sleep_tune.training.compilation import mark_varying
from sleep_tune.training.process_group import ProcessGroup

__all__ = ["BatchFeed", "PreparedBatch"]

MOST_PENDING = 2**22
"""Losses that are kept on the devices before they are passed on: a sleep may predict hundreds of millions of tokens."""


@dataclass(frozen=True, slots=True, eq=False)
class PreparedBatch:
    """This process's share of a batch, on the device: R of its rows of T tokens, with M predicted positions."""

    batch: Batch
    """The whole batch, as the stream made it."""
    input_ids: torch.Tensor
    """(R, T) int64 token ids, some of them masked."""
    attention_mask: Any
    """In the form that the model reads; None where the model's own is right."""
    positions: torch.Tensor
    """(M,) int64, flat indices in these rows of the outputs that predict."""
    labels: torch.Tensor
    """(M,) int64 token ids to predict there."""
    sample_ids: NDArray[np.int32]
    """(M,) int32, the sample that each predicted token belongs to; -1 for separators."""
    replays: NDArray[np.int32]
    """(M,) int32, `Batch.replays` of each predicted token; -1 awake."""
    num_predicted: int
    """Predicted positions of the whole batch, over all processes."""
    divisor: float
    """Divides the sum of losses, so that the mean over processes is the mean over the batch's predicted positions."""


class BatchFeed:
    """Batches of the stream for one process, and the losses that it needs on their way back.

    Losses stay on the device until the stream needs them, or until there are millions, so that updates do not wait for
    the device. A batch's masks are drawn for all of its rows, whichever process trains them: several processes train on
    what one would with the same total batch.

    With training.compile, all batches have the same shapes and forms but for M, so that one compiled graph serves all:
    a short batch is filled up with copies of a row in which nothing is predicted, and a model that ever needs an
    attention mask always gets one. This changes no loss. Another share of masked tokens asleep changes M only.

    Attributes:
        stream: the source of the batches.
        num_tokens: tokens in batches so far, padding included, over all processes.
        num_predicted: positions predicted so far, over all processes.
    """

    def __init__(
        self,
        stream: BatchStream,
        samples: Samples,
        training: TrainingConfig,
        *,
        masking_asleep: float | None = None,
        mask: MaskMaker = square_mask,
        device: torch.device,
        processes: ProcessGroup,
    ) -> None:
        """Begin at the stream's present position.

        Args:
            stream: new, or restored from a checkpoint.
            samples: the stream's corpus.
            training: the objective, which tokens are masked, and the run's seed, for the random streams of masks.
            masking_asleep: share of the tokens that are masked asleep, in (0, 1); None: as awake.
            mask: makes the model's attention masks.
            device: receives the tensors.
            processes: the group that shares each batch.
        """
        self.stream = stream
        self.num_tokens = 0
        self.num_predicted = 0
        self._samples = samples
        self._training = training
        self._masking_asleep = masking_asleep
        self._mask = mask
        self._device = device
        self._processes = processes
        # Of each batch its number; and of each prediction the sample, the replay and the loss.
        self._pending: list[tuple[int, NDArray[np.int32], NDArray[np.int32], torch.Tensor]] = []
        self._num_pending = 0  # predictions in them, over all processes

    def __iter__(self) -> Iterator[PreparedBatch]:
        """Yield the remaining batches of the run."""
        while (prepared := self.next_batch()) is not None:
            yield prepared

    def next_batch(self) -> PreparedBatch | None:
        """Return the next batch, or None when the budget is spent; first pass on the losses that the stream needs."""
        if self.stream.needs_scores or self._num_pending > MOST_PENDING:
            self.flush()
        batch = self.stream.next_batch()
        return None if batch is None else self._prepare(batch)

    def record_losses(self, prepared: PreparedBatch, losses: torch.Tensor) -> None:
        """Keep the losses of a batch, if the stream needs them.

        Args:
            prepared: a batch from `next_batch`.
            losses: (M,) loss at each predicted position in nats, detached, on the device.
        """
        if not self.stream.needs_losses(prepared.batch.phase):
            return
        self._num_pending += prepared.num_predicted
        if math.isfinite(prepared.divisor):
            self._pending.append((prepared.batch.index, prepared.sample_ids, prepared.replays, losses))

    def flush(self) -> None:
        """Pass all losses that were kept to the stream; for this, training waits for the device."""
        pending, self._pending, self._num_pending = self._pending, [], 0
        counts = [len(losses) for *_, losses in pending]
        indices = np.repeat(np.array([index for index, *_ in pending], np.int64), counts)
        ids = np.concatenate([np.empty(0, np.int32), *(ids for _, ids, _, _ in pending)])
        replays = np.concatenate([np.empty(0, np.int32), *(replays for _, _, replays, _ in pending)])
        losses = torch.cat([losses for *_, losses in pending] or [torch.empty(0)]).double().cpu().numpy()
        belongs = ids >= 0  # separators, which clm predicts too, belong to no sample
        shares = self._processes.all_gather([array[belongs] for array in (indices, ids, losses, replays)])
        indices, ids, losses, replays = (np.concatenate(arrays) for arrays in zip(*shares, strict=True))
        # The order of batches, whichever process had a row and whenever this is called: sums then have the same bits.
        order = np.argsort(indices, kind="stable")
        self.stream.observe(ids[order], losses[order], np.ones(len(ids), np.int64), replays[order])

    def _prepare(self, batch: Batch) -> PreparedBatch:
        special, objective = self._samples.special, OBJECTIVES[self._training.objective]
        ratio = self._training.causal_ratio if objective.causal_ratio is None else objective.causal_ratio
        is_causal = is_causal_batch(batch.index, ratio)
        predictions = (
            predict_all(batch.input_ids, special)
            if is_causal
            else predict_masked(batch.input_ids, partial(self._hide, batch), objective.shift)
        )
        self.num_tokens += predictions.input_ids.size
        self.num_predicted += len(predictions.positions)
        num_rows, length = predictions.input_ids.shape
        rank, size = self._processes.rank, self._processes.size
        first, last = num_rows * rank // size, num_rows * (rank + 1) // size
        begin, end = np.searchsorted(predictions.positions, (first * length, last * length))
        divisor = len(predictions.positions) / size
        if begin == end:
            # A short batch may leave a process without rows: it then trains on one row whose weight is 0.
            first, last, begin, end, divisor = 0, 1, 0, 1, math.inf
        rows, predicted = np.arange(first, last), np.arange(begin, end)
        if self._training.compile:
            rows = np.append(rows, np.full(self._training.batch_size - len(rows), first))
            if len(predicted) == 1:  # torch compiles length 1 apart: predict the token twice, each with half its weight
                predicted, divisor = np.repeat(predicted, 2), 2 * divisor
        positions = self._move(predictions.positions[predicted] - first * length)
        tokens = predictions.tokens[predicted]
        return PreparedBatch(
            batch=batch,
            input_ids=self._move(predictions.input_ids[rows]),
            attention_mask=self._attention_mask(batch.input_ids[rows] != special.pad, is_causal, ratio),
            positions=mark_varying(positions) if self._training.compile else positions,
            labels=self._move(predictions.labels[predicted]),
            sample_ids=batch.sample_ids.reshape(-1)[tokens],
            replays=np.full(len(tokens), -1, np.int32) if batch.replays is None else batch.replays[tokens // length],
            num_predicted=len(predictions.positions),
            divisor=divisor,
        )

    def _hide(self, batch: Batch, input_ids: NDArray[np.integer]) -> Masked:
        """Choose the tokens of a batch, the stream's last one, that are predicted, and hide them."""
        masking, stream = self._training.masking, self.stream
        share = (stream.words_seen - batch.words) / stream.plan.budget_words
        probability = probability_at(share, masking.probability, masking.final)
        if batch.phase == "sleep" and self._masking_asleep is not None:
            probability = self._masking_asleep
        return mask_batch(
            input_ids,
            self._samples.special,
            self._samples.vocab_size,
            generator(self._training.seed, Purpose.MASK, batch.index),
            kind=masking.kind,
            probability=probability,
            mask_share=masking.mask_share,
            random_share=masking.random_share,
        )

    def _attention_mask(self, attended: NDArray[np.bool_], is_causal: bool, ratio: float) -> Any:
        """Return the mask of rows in which `attended` (R, T) is False at padding.

        A model that is always causal needs none: padding is at the end of a row, where no text sees it. One that is so
        in some batches always gets one.
        """
        if ratio == 1 or (ratio == 0 and not self._training.compile and attended.all()):
            return None
        return self._mask(self._move(attended), is_causal)

    def _move(self, array: NDArray[Any]) -> torch.Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor
