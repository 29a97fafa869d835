"""Files of an architecture (`model.config=FILE`): read once, so that a run keeps what its file held.

The content becomes `model.options`, and the model type `model.config`. A run then depends on its own configuration
alone: the file may change or move, and a changed file gives another run.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import ConfigError, shortened
from sleep_tune.files import expanded

__all__ = ["SET_BY_TEXT", "SET_BY_TRAINING", "is_file", "require_place", "with_file"]

SET_BY_TEXT = (
    "vocab_size",
    "bos_token_id",
    "cls_token_id",
    "decoder_start_token_id",
    "eos_token_id",
    "mask_token_id",
    "pad_token_id",
    "sep_token_id",
    "unk_token_id",
)
"""Options of transformers that the tokenizer decides."""

SET_BY_TRAINING = ("attn_implementation", "dtype", "is_decoder", "torch_dtype", "training_objective", "use_cache")
"""Options of transformers that training decides: by its objective, its precision, and how it calls a model."""

ABOUT_FILE = ("architectures", "id2label", "label2id", "model_type", "task_specific_params", "transformers_version")
"""Keys of a config.json that say how a file was written."""


def is_file(config: str) -> bool:
    """Return whether a value of `model.config` names a file or folder, not a model type."""
    return "/" in config or "\\" in config or config.endswith(".json") or config[:1] in "~."


def require_place(init: str) -> None:
    """Check that `model.init` is a folder, or can be an id on the Hub.

    Raises:
        ConfigError: it is a file, or a path at which there is nothing.
    """
    path = expanded(init)
    is_path = init[:1] in ("/", ".", "~") or init.count("/") > 1
    if not path.is_dir() and (path.exists() or is_path):
        what = "is a file" if path.exists() else "does not exist"
        raise ConfigError(f"model.init must be a folder or an id on the Hub; got {init}, which {what}")


def with_file(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section `model` with the content of the file that its `config` names; unchanged if it names none.

    Options that are set beside the file come before those in it.

    Args:
        model: name -> value, already checked one by one.

    Raises:
        ConfigError: the file is missing, is not JSON, or names no model type or code of its own.
    """
    given = model.get("config")
    if not isinstance(given, str) or not is_file(given):
        return dict(model)
    path = expanded(given)
    if path.is_dir():
        path /= "config.json"
    content = _read(path, given)
    if "auto_map" in content:
        raise ConfigError(
            f"model.config must be an architecture of transformers; {path} needs code of its own (auto_map): give the "
            "whole folder as model.init, with model.trust_remote_code=true"
        )
    kind = content.get("model_type")
    if not isinstance(kind, str) or not kind.strip() or is_file(kind):
        what = f"got {shortened(repr(kind))}" if "model_type" in content else "it has none"
        raise ConfigError(f"model.config: {path} must name its model_type, such as opt; {what}")
    kept = {
        key: value
        for key, value in content.items()
        if key not in (*SET_BY_TEXT, *SET_BY_TRAINING, *ABOUT_FILE) and not key.startswith("_")
    }
    return {**model, "config": kind, "options": kept | dict(model.get("options") or {})}


def _read(path: Path, given: str) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            "model.config must be a model type of transformers, such as opt, or a config.json (model.init takes an id "
            f"on the Hub); there is no file {path}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"model.config: {path} must hold a JSON object: {shortened(str(error), 120)}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"model.config: {path} must hold a JSON object; got {shortened(repr(content))}")
    return content
