"""transformers' Trainer, fed by the sleep stream: four methods are ours, everything else is its own.

Knows nothing of phases: batches come as the stream gives them, and losses go back to it.
"""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch.nn import functional
from transformers import PreTrainedModel, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from sleep_tune.model import names_to_decay
from sleep_tune.training.feed import Feed, Prepared
from sleep_tune.training.meter import LossMeter
from sleep_tune.training.restore import RestoringTrainer

__all__ = ["RandomStream", "SleepTrainer"]


class RandomStream(Protocol):
    """Where dropout draws from; begun anew with each batch, so that a resumed run drops the same elements."""

    def start(self, index: int) -> None:
        """Begin the stream of batch `index`."""


class SleepTrainer(RestoringTrainer):
    """A Trainer whose batches, losses and learning rate come from a sleep stream.

    An update is what accumulation makes of `accumulation` batches, each weighing the same; the last update of a run
    may hold fewer. The batches of one update are asked for one by one, since a sleep that begins within it needs the
    scores of the batch before. So transformers' own accumulation, which asks for all at once, stays at 1.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        *,
        feed: Feed,
        meter: LossMeter,
        dropout: RandomStream,
        schedule: Callable[[float], float],
        accumulation: int,
        callbacks: list[TrainerCallback],
    ) -> None:
        """Wire the parts together.

        Args:
            model: its forward is `masked_logits` (see `sleep_tune.model.sparse_forward`).
            arguments: transformers' own options.
            feed: hands out batches and takes back losses.
            meter: takes every batch's loss.
            dropout: begun anew for every batch.
            schedule: share of the budget seen -> share of the peak learning rate.
            accumulation: batches in an update, >= 1.
            callbacks: called after each update, in this order.
        """
        self.feed = feed
        self.meter = meter
        self.dropout = dropout
        self.schedule = schedule
        self.accumulation = accumulation
        super().__init__(model=model, args=arguments, callbacks=callbacks)
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> Iterator[list[Prepared]]:  # type: ignore[override]
        """The first batch of each update, as a plain iterator: accelerate's own loaders run one batch ahead.

        In a list, which transformers hands on as it is, and which must not be empty.
        """
        for prepared in self.feed:
            yield [prepared]
        self.control.should_training_stop = True

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> torch.Tensor:
        """The loss of an update's last batch; those before it are taken back to the weights here.

        Args:
            model: the model, as accelerate has wrapped it.
            inputs: a list of the update's first batch.
            return_outputs: unused; transformers passes it when it evaluates.
            num_items_in_batch: unused; batches weigh the same.
        """
        prepared: Prepared = inputs[0]
        for _ in range(self.accumulation - 1):
            with self.accelerator.no_sync(model):
                self.accelerator.backward(self._mean_loss(model, prepared))
            following = self.feed.next()
            if following is None:
                # The budget ends within the update: nothing is left to add, but processes have yet to exchange
                # gradients, which a backward pass that weighs nothing makes them do.
                return 0 * self._losses(model, prepared).sum()
            prepared = following
        return self._mean_loss(model, prepared)

    def get_decay_parameter_names(self, model: torch.nn.Module) -> list[str]:
        """Return the names of the parameters that weight decay acts on.

        transformers searches the whole name for `layernorm`, which the name of our default architecture's trunk holds.

        Args:
            model: the model that the optimizer is made for.
        """
        return names_to_decay(model)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """A scheduler that asks the stream for the words seen, and is told of no steps.

        Args:
            num_training_steps: unused; a run is planned in words.
            optimizer: transformers' own unless given.
        """
        if self.lr_scheduler is None:
            stream = self.feed.stream
            scheduled = optimizer or self.optimizer
            assert scheduled is not None, "transformers makes the optimizer before the scheduler"
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                scheduled, lambda _: self.schedule(stream.words_seen / stream.plan.budget_words)
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _mean_loss(self, model: torch.nn.Module, prepared: Prepared) -> torch.Tensor:
        """The batch's loss as its share of the update; recorded on the way."""
        losses_M = self._losses(model, prepared)
        self.feed.record(prepared, losses_M.detach())
        loss = losses_M.sum() / prepared.divisor
        self.meter.add(loss.detach(), prepared.batch.phase)
        return loss / self.accumulation if self.accumulation > 1 else loss

    def _losses(self, model: torch.nn.Module, prepared: Prepared) -> torch.Tensor:
        """(M,) cross-entropy at each predicted position, in nats."""
        self.dropout.start(prepared.batch.index)
        logits_MV = model(
            input_ids=prepared.input_ids, attention_mask=prepared.attention_mask, positions=prepared.positions
        )
        return functional.cross_entropy(logits_MV.float(), prepared.labels, reduction="none")
