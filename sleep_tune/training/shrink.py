"""Shrinking of weights after a sleep: those that matter least become smaller, so that new text finds room.

The idea is the synaptic homeostasis of Tononi and Cirelli (2014, doi 10.1016/j.neuron.2013.12.025): what is learned
awake strengthens synapses, and sleep weakens them again, the strong ones less.
"""

from collections.abc import Callable

import torch
from torch.optim import Optimizer
from transformers import PreTrainedModel

from sleep_tune.config.schema import ShrinkConfig
from sleep_tune.models.decay import names_to_decay
from sleep_tune.sleep.batch import Batch
from sleep_tune.training.optimizers import moment_names

__all__ = ["IMPORTANCES", "SleepShrink", "shrink_weights"]


def magnitude(weights: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Return |w|."""
    return weights.abs()


def gradient(weights: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Return |w g|: how much the loss changes if the weight becomes 0, to first order.

    Molchanov et al. 2017 (arXiv 1611.06440) prune by it. Here g is the running mean that the optimizer keeps anyway, so
    no pass is made for it.
    """
    return (weights * gradients).abs()


IMPORTANCES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "gradient": gradient,
    "magnitude": magnitude,
}
"""Name -> function of weights and their mean gradients, of one shape, that returns the importance of each weight."""


@torch.no_grad()
def shrink_weights(model: PreTrainedModel, optimizer: Optimizer, *, factor: float, protect: float, by: str) -> None:
    """Multiply the less important weights of each matrix by a factor, in place; nothing is read from the device.

    Of a matrix of n weights, the round(protect x n) most important ones stay as they are, to the bit. Where the border
    falls between weights of equal importance, such as those whose gradients were 0, all of these shrink. Weights that
    do not decay (biases and norms) do not shrink, nor does a matrix that no loss has depended on so far. Tied weights
    shrink once. The optimizer's moments, and averages of the weights, stay as they are.

    Args:
        model: on its device.
        optimizer: of its weights, after at least one update.
        factor: in [0, 1].
        protect: share of each matrix that stays as it is, in [0, 1].
        by: a name in IMPORTANCES.
    """
    parameters = dict(model.named_parameters())  # tied ones once, by one of their names
    shrinking = {id(parameters[name]) for name in names_to_decay(model) if name in parameters}
    for group in optimizer.param_groups:
        moment = moment_names(group)[0]
        for weights in group["params"]:
            state = optimizer.state.get(weights)
            number = weights.numel() - round(protect * weights.numel())
            if id(weights) in shrinking and state and number:
                importance = IMPORTANCES[by](weights, state[moment])
                border = importance.flatten().kthvalue(number).values
                weights.mul_(torch.where(importance > border, 1.0, factor))


class SleepShrink:
    """Shrinks the weights once for each sleep: after its last update, before the next one.

    A sleep has ended once a batch awake follows it, so the last sleep of a run is not followed by a shrink, and an
    evaluation or a checkpoint between the two has the weights as the sleep left them. If both batches belong to one
    accumulated update, the weights shrink after it.

    Attributes:
        due: sleeps that have ended and for which the weights have not shrunk yet; part of a checkpoint.
    """

    def __init__(self, settings: ShrinkConfig, *, is_asleep: bool = False) -> None:
        """Begin, or resume.

        Args:
            settings: what shrinks.
            is_asleep: whether the last batch so far was one of a sleep.
        """
        self.due = 0
        self._settings = settings
        self._is_asleep = is_asleep

    def add(self, batch: Batch) -> None:
        """Follow the stream by one batch."""
        self.due += self._is_asleep and batch.phase == "wake"
        self._is_asleep = batch.phase == "sleep"

    def apply(self, model: PreTrainedModel, optimizer: Optimizer) -> None:
        """Shrink the weights if a sleep has ended; called before an update's first forward pass.

        Args:
            model: the model.
            optimizer: of its weights.
        """
        settings, due, self.due = self._settings, self.due, 0
        if due and settings.factor != 1:
            factor = settings.factor**due
            shrink_weights(model, optimizer, factor=factor, protect=settings.protect, by=settings.by)
