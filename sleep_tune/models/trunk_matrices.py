"""The matrices of a model's trunk: weights of linear maps between hidden states."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from torch import nn
from transformers.pytorch_utils import Conv1D

__all__ = ["TrunkMatrix", "trunk_matrices"]

FUSED: dict[tuple[type[nn.Module], str], int] = {(Conv1D, "c_attn"): 3, (nn.Linear, "Wqkv"): 3, (nn.Linear, "Wi"): 2}
"""Class and name of a layer that holds several projections side by side -> their number.

They are queries, keys and values (GPT-2, ModernBERT), and input and gate (ModernBERT). Other architectures have a layer
for each.
"""


@dataclass(frozen=True, slots=True, eq=False)
class TrunkMatrix:
    """The weights of one linear layer."""

    weights: nn.Parameter
    """(outputs, inputs); in GPT-2's layers (inputs, outputs)."""
    outputs: int
    """Dimension of the outputs, 0 or 1."""
    parts: int
    """Projections that it holds side by side along its outputs, >= 1."""


def trunk_matrices(model: Any) -> Iterator[TrunkMatrix]:
    """Yield the weights of each linear layer of the trunk that are trained, in the order of the model's modules.

    Neither embeddings are among them, also if they are used as a tied head, nor the head. Nor are other parameters with
    two dimensions, which a user's own architecture may have: they need not be linear maps.

    Args:
        model: any PreTrainedModel.
    """
    embeddings = [module for module in model.modules() if isinstance(module, nn.Embedding)]
    seen = {id(weights) for module in embeddings for weights in module.parameters()}
    head = model.get_output_embeddings()
    if head is not None:
        seen |= {id(weights) for weights in head.parameters()}
    for path, module in model.base_model.named_modules():
        kind = Conv1D if isinstance(module, Conv1D) else nn.Linear
        weights: Any = getattr(module, "weight", None)
        if isinstance(module, kind) and weights.requires_grad and id(weights) not in seen:
            seen.add(id(weights))
            parts = FUSED.get((kind, path.rpartition(".")[2]), 1)
            yield TrunkMatrix(weights, outputs=int(kind is Conv1D), parts=parts)
