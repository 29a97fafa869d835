"""transformers' Trainer on batches of the sleep stream: four methods are overridden, everything else is its own."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from transformers import PreTrainedModel, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from sleep_tune.training.batch_feed import BatchFeed, PreparedBatch
from sleep_tune.training.learning_rates import LearningRates
from sleep_tune.training.meter import LossMeter
from sleep_tune.training.reference_model import ReferenceModel
from sleep_tune.training.restore import RestoringTrainer
from sleep_tune.training.shrink import SleepShrink

__all__ = ["RandomStream", "SleepTrainer"]


class RandomStream(Protocol):
    """The random stream of dropout, seeded anew for each batch, so that a resumed run drops the same elements."""

    def start(self, index: int) -> None:
        """Seed the stream for batch `index`, >= 0."""


class SleepTrainer(RestoringTrainer):
    """A Trainer whose batches, losses and learning rate come from a sleep stream.

    An update accumulates the gradients of `accumulation` batches with equal weights; the last update of a run may have
    fewer. The batches of one update are taken one by one, since a sleep phase that begins within it needs the losses of
    the batch before. So transformers' own accumulation, which takes all of them at once, stays at 1.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        *,
        feed: BatchFeed,
        meter: LossMeter,
        rates: LearningRates,
        shrink: SleepShrink,
        reference: ReferenceModel | None = None,
        dropout: RandomStream,
        make_optimizer: Callable[[PreTrainedModel], torch.optim.Optimizer],
        schedule: Callable[[float], float],
        accumulation: int,
        after_update: TrainerCallback,
    ) -> None:
        """Make the trainer.

        Args:
            model: its forward returns losses (see `sleep_tune.models.sparse.sparse_forward`).
            arguments: transformers' own options.
            feed: returns batches and receives the losses of wake batches.
            meter: receives the mean loss of every batch.
            rates: turns the schedule's rate into that of each update.
            shrink: shrinks weights after each sleep.
            reference: its losses are subtracted from those that become scores.
            dropout: seeded anew for every batch.
            make_optimizer: model -> optimizer of its weights; one of `OPTIMIZERS` with its options.
            schedule: share of the budget seen -> share of the peak learning rate, both in [0, 1].
            accumulation: batches in an update, >= 1.
            after_update: called after each update.
        """
        self.feed = feed
        self.meter = meter
        self.rates = rates
        self.shrink = shrink
        self.reference = reference
        self.dropout = dropout
        self.make_optimizer = make_optimizer
        self.schedule = schedule
        self.accumulation = accumulation
        super().__init__(model=model, args=arguments, callbacks=[after_update])
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> Iterator[list[PreparedBatch]]:  # type: ignore[override]
        """Yield the first batch of each update, from a plain iterator: accelerate's own loaders run one batch ahead.

        It is in a list, which transformers passes on unchanged, and which must not be empty.
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
        """Return the loss of an update's last batch, a scalar, after the backward pass of those before it.

        Before the first forward pass, weights shrink if a sleep has ended. The optimizer gets the rate of the update's
        phases, which are known only when its last batch has been taken.

        Args:
            model: the model, as accelerate has wrapped it.
            inputs: a list of the update's first batch.
            return_outputs: unused; transformers passes it when it evaluates.
            num_items_in_batch: unused; batches weigh the same.
        """
        assert isinstance(self.model, PreTrainedModel)
        assert self.optimizer is not None
        assert self.lr_scheduler is not None, "transformers makes both before the first update"
        prepared: PreparedBatch = inputs[0]
        self.shrink.add(prepared.batch)
        self.shrink.apply(self.model, self.optimizer)
        loss = self._accumulate(model, prepared)
        rate = self.rates.end_update(float(self.lr_scheduler.get_last_lr()[0]))
        for group in self.optimizer.param_groups:
            group["lr"] = rate  # the scheduler sets it anew after the update
        return loss

    def _accumulate(self, model: torch.nn.Module, prepared: PreparedBatch) -> torch.Tensor:
        """Return the loss of an update's last batch, after the backward pass of those before it.

        Args:
            model: the model, as accelerate has wrapped it.
            prepared: the update's first batch.
        """
        for _ in range(self.accumulation - 1):
            with self.accelerator.no_sync(model):
                self.accelerator.backward(self._mean_loss(model, prepared))
            following = self.feed.next_batch()
            if following is None:
                # The budget ends within the update. There is no batch left, but processes exchange gradients only in a
                # backward pass without `no_sync`: make one that adds 0.
                return 0 * self._losses(model, prepared)[0]
            prepared = following
            self.shrink.add(prepared.batch)
        return self._mean_loss(model, prepared)

    def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
        """Return the run's optimizer, which is made once.

        Args:
            model: unused; this Trainer's is trained.
        """
        if self.optimizer is None:
            assert isinstance(self.model, PreTrainedModel), "a run's Trainer is given its model"
            self.optimizer = self.make_optimizer(self.model)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Return a scheduler whose rate depends on the words seen, not on steps.

        Args:
            num_training_steps: unused; the budget is in words.
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

    def _mean_loss(self, model: torch.nn.Module, prepared: PreparedBatch) -> torch.Tensor:
        """Return the batch's mean loss divided by the batches of an update; record its losses."""
        total, losses_M = self._losses(model, prepared)
        if self.feed.stream.needs_losses(prepared.batch.phase):
            self.feed.record_losses(prepared, self._scored(prepared, losses_M))
        loss = total / prepared.divisor
        self.meter.add(loss.detach(), prepared.batch.phase)
        self.rates.add(prepared.batch, self.feed.stream.words_seen)
        return loss / self.accumulation if self.accumulation > 1 else loss

    def _scored(self, prepared: PreparedBatch, losses_M: torch.Tensor) -> torch.Tensor:
        """Return the losses that scores are made of, (M,): the model's, less those of the reference if there is one."""
        if self.reference is None:
            return losses_M
        with self.accelerator.autocast():
            return losses_M - self.reference.losses(prepared)

    def _losses(self, model: torch.nn.Module, prepared: PreparedBatch) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the sum of the losses, with its gradient, and the loss at each predicted position, (M,) in nats."""
        self.dropout.start(prepared.batch.index)
        losses: tuple[torch.Tensor, torch.Tensor] = model(
            input_ids=prepared.input_ids,
            attention_mask=prepared.attention_mask,
            positions=prepared.positions,
            labels=prepared.labels,
        )
        return losses
