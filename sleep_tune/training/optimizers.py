"""Optimizers of a run: AdamW, or Muon for the matrices of the trunk and AdamW for all other weights.

Each is one torch optimizer, and all of its weights have the same learning rate, so that schedules, clipping and
checkpoints work alike.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch.optim import AdamW, Muon, Optimizer
from transformers import PreTrainedModel

from sleep_tune.config.schema import TrainingConfig
from sleep_tune.errors import ConfigError
from sleep_tune.models.decay import names_to_decay
from sleep_tune.models.trunk_matrices import trunk_matrices

__all__ = ["OPTIMIZERS", "moment_names"]


def adamw(model: PreTrainedModel, training: TrainingConfig) -> Optimizer:
    """AdamW (Loshchilov and Hutter 2019, arXiv 1711.05101) for all weights."""
    return _adamw(model, training, excluded=())


def muon(model: PreTrainedModel, training: TrainingConfig) -> Optimizer:
    """Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon) for the trunk's matrices, AdamW for the rest.

    Muon's updates are scaled to the typical size of AdamW's ("match_rms_adamw", Liu et al. 2025, arXiv 2502.16982), so
    both have one learning rate and one weight decay, and values that suit AdamW suit Muon. Its momentum is 0.95, as in
    both sources.

    Raises:
        ConfigError: the trunk has no linear layer.
    """
    groups = defaultdict(list)
    for matrix in trunk_matrices(model):
        groups[matrix.parts, matrix.outputs].append(matrix.weights)
    if not groups:
        raise ConfigError(
            "training.optimizer=muon needs a model with linear layers in its trunk; got "
            f"{type(model).__name__}, which has none: use training.optimizer=adamw"
        )
    return _Both(
        _SplittingMuon(
            [{"params": weights, "parts": parts, "outputs": outputs} for (parts, outputs), weights in groups.items()],
            lr=training.learning_rate,
            weight_decay=training.weight_decay,
            momentum=0.95,
            adjust_lr_fn="match_rms_adamw",
        ),
        _adamw(model, training, excluded={id(weights) for group in groups.values() for weights in group}),
    )


OPTIMIZERS: dict[str, Callable[[PreTrainedModel, TrainingConfig], Optimizer]] = {"adamw": adamw, "muon": muon}
"""Name -> function of a model on its device that makes its optimizer."""


def moment_names(group: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the tensors, of the weights' shape, that an optimizer keeps for each weight of a group."""
    return ("momentum_buffer",) if "momentum" in group else ("exp_avg", "exp_avg_sq")


def _adamw(model: PreTrainedModel, training: TrainingConfig, *, excluded: Collection[int]) -> AdamW:
    """Return AdamW for the trained weights whose id is not excluded; biases and norms do not decay."""
    decayed = set(names_to_decay(model))
    groups: list[dict[str, Any]] = [
        {"params": [], "weight_decay": training.weight_decay},
        {"params": [], "weight_decay": 0.0},
    ]
    for name, weights in model.named_parameters():
        if weights.requires_grad and id(weights) not in excluded:
            groups[name not in decayed]["params"].append(weights)
    betas = (training.beta1, training.beta2)
    return AdamW(groups, lr=training.learning_rate, betas=betas, eps=training.epsilon, fused=True)


class _SplittingMuon(Muon):
    """Muon that treats each projection of a layer with several as a matrix of its own.

    So queries, keys and values are orthogonalised one by one in every architecture, which trains better than together
    (Jordan et al. 2024), and a fused layer gets the updates that separate layers would get. A group's `parts` is the
    number of projections in its weights, along dimension `outputs`.
    """

    def _init_group(self, group: Any, *lists: list[torch.Tensor]) -> bool:
        """Fill the lists of weights, gradients and momenta that a step updates; views of parts replace the whole."""
        has_complex: bool = super()._init_group(group, *lists)
        for tensors in lists:
            tensors[:] = [part for tensor in tensors for part in tensor.chunk(group["parts"], group["outputs"])]
        return has_complex


class _Both(Optimizer):
    """Two optimizers of different weights as one: it owns the groups and the states, which the two share."""

    def __init__(self, *optimizers: Optimizer) -> None:
        """Join the optimizers.

        Args:
            *optimizers: new, each with weights of its own.
        """
        self._optimizers = optimizers
        super().__init__([group for optimizer in optimizers for group in optimizer.param_groups], {})
        self._share()

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update all weights.

        Args:
            closure: must be None; torch's interface has it.
        """
        assert closure is None, "a run computes its gradients before a step"
        for optimizer in self._optimizers:
            optimizer.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned.

        Args:
            state_dict: of an optimizer of the same weights.
        """
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Let the optimizers see the present groups and states."""
        groups = iter(self.param_groups)
        for optimizer in self._optimizers:
            optimizer.state = self.state
            optimizer.param_groups = [next(groups) for _ in optimizer.param_groups]
