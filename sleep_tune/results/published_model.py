"""Facts on a published model, from its folder and that of its run: family, sizes, objective, and how it is opened.

A fact that the folder does not state is left out.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sleep_tune.files import read_json_object, read_safetensors_header
from sleep_tune.older_transformers import REPLACED, opens_alike
from sleep_tune.results.comparable_losses import DEFAULT, OBJECTIVE
from sleep_tune.results.run_facts import read_facts

__all__ = ["PublishedModel", "read_published_model"]

FAMILIES = {
    "deberta-v2": "DeBERTa",
    "gpt2": "GPT-2",
    "llama": "Llama",
    "modernbert": "ModernBERT",
    "roberta": "RoBERTa",
    "roberta-prelayernorm": "RoBERTa-PreLayerNorm",
}
"""`model_type` in config.json -> name of the family; others are shown as they are."""

SIZES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "heads": ("num_attention_heads", "n_head", "num_heads"),
    "vocabulary": ("vocab_size",),
}
"""Size -> its possible names in config.json."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedModel:
    """What a card says of a model."""

    objective: str
    """training.objective of its run."""
    family: str | None = None
    class_name: str | None = None
    """The class that its folder names."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Those of `SIZES` that its config.json states."""
    parameters: int | None = None
    """Numbers in its weights; a tied weight counts once."""
    max_length: int | None = None
    """Tokens of a row that it was trained on."""
    code: str | None = None
    """Import path of the function that built it, where the user gave one (model.kind=my_lab.models:build)."""
    remote_code: bool = False
    """Whether its folder brings code of its own along, which transformers runs only if asked to."""
    written_by: str | None = None
    """The release of transformers that wrote it."""
    is_replaced: bool = False
    """Whether AutoTokenizer reads another tokenizer than the folder's."""
    opens_alike: bool = False
    """Whether the older release that was tested opens models of its family as this one does."""


def read_published_model(model: Path) -> PublishedModel:
    """Return what the folder of a model, and that of its run around it, say of the model."""
    options, config = read_facts(model.parent).config, read_json_object(model / "config.json") or {}
    kind, architectures = str(options.get("model.kind", "")), config.get("architectures")
    model_type = config.get("model_type")
    length = options.get("data.max_length")
    return PublishedModel(
        objective=str(config.get("training_objective") or options.get(OBJECTIVE, DEFAULT)),
        family=FAMILIES.get(str(model_type), str(model_type)) if model_type else None,
        class_name=str(architectures[0]) if isinstance(architectures, list) and architectures else None,
        sizes=_sizes(config),
        parameters=_count(model / "model.safetensors"),
        max_length=length if isinstance(length, int) else None,
        code=kind if ":" in kind else None,
        remote_code="auto_map" in config,
        written_by=str(config["transformers_version"]) if config.get("transformers_version") else None,
        is_replaced=model_type in REPLACED,
        opens_alike=opens_alike(config),
    )


def _sizes(config: Mapping[str, Any]) -> dict[str, int]:
    found = {size: next((config[key] for key in keys if key in config), None) for size, keys in SIZES.items()}
    return {size: value for size, value in found.items() if isinstance(value, int)}


def _count(weights: Path) -> int | None:
    """Return the number of parameters by the header of the file; None if it cannot be read, or holds none."""
    try:
        return sum(math.prod(tensor["shape"]) for tensor in read_safetensors_header(weights).values()) or None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
