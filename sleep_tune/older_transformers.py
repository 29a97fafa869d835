"""Settings of a published model that releases 4 of transformers read from other places than releases 5, which write it.

Without them release 4 opens the folder without a warning and computes other values: it encodes the first word of a text
as if it continued another word, and rotates positions by its default base. Releases 5 keep to their own settings where
both are there. `tests/benchmarks/older_transformers.py` opens models of every family in both.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["RELEASE", "REPLACED", "model_settings", "opens_alike", "tokenizer_settings"]

PREFIX_SPACE = "add_prefix_space"
ROTATION = "rope_parameters"
BASE = "rope_theta"
GLOBAL, LOCAL = "full_attention", "sliding_attention"
"""Names of a layer's attention: to all positions, and to near ones."""
LAYERS, EVERY = "layer_types", "global_attn_every_n_layers"
USUAL_EVERY = 3

RELEASE = "4.57"
"""The release that was tested."""
FAMILIES = (
    "bert",
    "deberta-v2",
    "electra",
    "gpt2",
    "gpt_neox",
    "llama",
    "modernbert",
    "opt",
    "qwen3",
    "roberta",
    "roberta-prelayernorm",
)
"""Types of models that it opens as releases 5 do."""

REPLACED = ("qwen2",)
"""Types of models whose tokenizer AutoTokenizer of releases 5 replaces by that of the original family."""


def tokenizer_settings(tokenizer: Mapping[str, Any]) -> dict[str, Any]:
    """Return what tokenizer_config.json must say.

    Args:
        tokenizer: content of tokenizer.json.
    """
    before = tokenizer.get("pre_tokenizer")
    return {PREFIX_SPACE: before[PREFIX_SPACE]} if isinstance(before, Mapping) and PREFIX_SPACE in before else {}


def model_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what config.json must say besides.

    Args:
        config: content of config.json, as releases 5 write it.
    """
    rotation = config.get(ROTATION)
    if not isinstance(rotation, Mapping):
        return {}
    if config.get("model_type") == "modernbert":
        return _modernbert(config, rotation)
    if BASE not in rotation:  # one rotation for each kind of layer, which older configurations name in their own ways
        return {}
    if config.get("model_type") == "gpt_neox":
        return {"rotary_emb_base": rotation[BASE], "rotary_pct": rotation.get("partial_rotary_factor", 0.25)}
    found = {BASE: rotation[BASE]}
    if "partial_rotary_factor" in rotation:
        found["partial_rotary_factor"] = rotation["partial_rotary_factor"]
    if rotation.get("rope_type", "default") != "default":
        found["rope_scaling"] = {key: value for key, value in rotation.items() if key not in found}
    return found


def opens_alike(config: Mapping[str, Any]) -> bool:
    """Return whether the tested release opens a model as releases 5 do, by its type and its `model_settings`."""
    kind, rotation = config.get("model_type"), config.get(ROTATION)
    if kind not in FAMILIES:
        return False
    if kind == "modernbert":
        return rotation is None or _modernbert(config, rotation).get(EVERY) is not None
    return not isinstance(rotation, Mapping) or rotation.get("rope_type", "default") == "default"


def _modernbert(config: Mapping[str, Any], rotation: Mapping[str, Any]) -> dict[str, Any]:
    """Return its bases of rotation, and every how many layers attention is to all positions, if that is regular."""
    names = {"global_rope_theta": GLOBAL, "local_rope_theta": LOCAL}
    found = {name: rotation[kind][BASE] for name, kind in names.items() if BASE in (rotation.get(kind) or {})}
    layers = config.get(LAYERS)
    every = USUAL_EVERY if layers is None else _every(layers)
    return found if every is None else found | {EVERY: every}


def _every(layers: Sequence[str]) -> int | None:
    """Return n where layers 0, n, 2n, ... and no others attend to all positions; None if they are other layers."""
    for every in range(1, len(layers) + 1):
        if all((kind == GLOBAL) == (layer % every == 0) for layer, kind in enumerate(layers)):
            return every
    return None
