"""How long a text a model can read, and how long the texts were that it was trained on. Knows no texts."""

from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["readable_positions", "trained_positions"]

TABLES = ("position_embeddings", "position_embedding", "embed_positions", "wpe")
"""How libraries name the table of learnt positions."""

SETTINGS = ("max_position_embeddings", "n_positions", "max_sequence_length")
"""How configurations name the number of positions."""


def readable_positions(model: "PreTrainedModel") -> int | None:
    """Tokens in the longest text that the model can read; None where its positions have no end.

    A model with a table of learnt positions fails beyond it, on a GPU in a way that no process survives, so it is
    looked up and not tried.
    """
    sizes = []
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in TABLES and isinstance(module, nn.Embedding):
            # OPT and BART keep rows free at the front, RoBERTa counts from the padding on.
            front = int(getattr(module, "offset", 0))
            if not front and module.padding_idx is not None:
                front = module.padding_idx + 1
            sizes.append(module.num_embeddings - front)
    return min(sizes, default=None)


def trained_positions(model: "PreTrainedModel") -> int | None:
    """Tokens in the longest text that the model was meant for, as its configuration has it; None where it has not."""
    readable = readable_positions(model)
    if readable is not None:
        return readable
    config: Any = model.config
    return next((int(value) for name in SETTINGS if isinstance(value := getattr(config, name, None), int)), None)
