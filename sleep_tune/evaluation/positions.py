"""The longest text that a model can read, and the longest that it was trained on, in tokens."""

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["readable_positions", "trained_positions"]

TABLES = ("position_embeddings", "position_embedding", "embed_positions", "wpe")
"""Names of the embedding of learnt positions in various architectures."""

SETTINGS = ("max_position_embeddings", "n_positions", "max_sequence_length")
"""Names of the number of positions in configurations."""


def readable_positions(model: "PreTrainedModel") -> int | None:
    """Return the tokens in the longest text that the model can read; None if its positions have no limit.

    A model with an embedding of learnt positions fails beyond it, on a GPU so that the process cannot continue.
    Therefore the size of the embedding is looked up.
    """
    sizes = []
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in TABLES and isinstance(module, nn.Embedding):
            # OPT and BART leave the first rows unused; RoBERTa counts positions from the padding token's id on.
            front = int(getattr(module, "offset", 0))
            if not front and module.padding_idx is not None:
                front = module.padding_idx + 1
            sizes.append(module.num_embeddings - front)
    return min(sizes, default=None)


def trained_positions(model: "PreTrainedModel") -> int | None:
    """Return the tokens in the longest text that the model was trained on, by its configuration; None if unknown."""
    readable = readable_positions(model)
    if readable is not None:
        return readable
    config: Any = model.config
    return next((int(value) for name in SETTINGS if isinstance(value := getattr(config, name, None), int)), None)
