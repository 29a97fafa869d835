"""The config.json of a model's folder: read it, and refuse what transformers must not be given."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import DataError, shortened
from sleep_tune.evaluation.library_errors import TRUST

__all__ = ["HYBRID", "MASKED", "OBJECTIVE", "read_architectures", "read_model_config", "require_safe_config"]

MASKED = "MaskedLM"
"""Ending of the names of masked architectures."""

OBJECTIVE, HYBRID = "training_objective", "hybrid"
"""Key that this package adds to config.json, and the objective whose models are masked and causal ones at once."""

SHOWN = 5
"""Number of folders in a message."""

ADAPTER = "adapter_config.json"
"""A folder with this file holds an adapter of the library peft, not a whole model."""

LARGEST = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 1_000),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length"), 100_000_000),
}
"""Key of config.json -> highest accepted value. transformers builds all layers and positions before it reads weights,
so an absurd value would take hours or all memory."""


def read_model_config(folder: Path) -> dict[str, Any]:
    """Return the content of a model folder's config.json.

    Raises:
        DataError: there is no such folder, it has no config.json, the file is broken, or the model is an adapter.
    """
    path = folder / "config.json"
    if folder.is_file():
        raise DataError(f"{folder} must be a model's folder, with a config.json; it is a file: give {folder.parent}")
    if not folder.is_dir():
        raise DataError(
            f"{folder} must be a model's folder, with a config.json; there is no such folder (a model of the Hub has "
            "to be downloaded first: hf download NAME --local-dir FOLDER)"
        )
    if not path.is_file():
        _require_whole_model(folder)
        inside = [str(path.parent) for path in sorted(folder.glob("*/config.json"))]
        hint = f"; did you mean {' or '.join(inside[:SHOWN])}?" if inside else ""
        raise DataError(f"{folder} must be a model's folder, with a config.json; it has none{hint}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} must hold a JSON object: {error}") from error
    if not isinstance(config, dict):
        raise DataError(f"{path} must hold a JSON object; got {shortened(repr(config))}")
    return config


def _require_whole_model(folder: Path) -> None:
    if (folder / ADAPTER).is_file():
        raise DataError(
            f"{folder} must hold a whole model; {ADAPTER} says that it is an adapter of another one: merge the two "
            "(merge_and_unload) and save the model"
        )


def read_architectures(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """Return the names of a model's classes, from the `architectures` of its configuration.

    Raises:
        DataError: `architectures` is not a list of names.
    """
    names = config.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"{folder / 'config.json'}: architectures must be a list of names; got {shortened(repr(names))}"
        )
    return names


def require_safe_config(
    folder: Path, config: Mapping[str, Any], *, trust_remote_code: bool, trust: str = TRUST
) -> None:
    """Refuse a folder with which transformers would do something unwanted before it compares any weight.

    Raises:
        DataError: the model is an adapter; its configuration has absurd sizes, or names code of the Hub although
            `trust_remote_code` is false.
    """
    _require_whole_model(folder)
    for key, value in _entries(config):
        if key in LARGEST and isinstance(value, int) and value > LARGEST[key]:
            raise DataError(f"{folder / 'config.json'}: {key} must be at most {LARGEST[key]:,}; got {value:,}")
        if key.endswith("_implementation") and isinstance(value, str) and "/" in value and not trust_remote_code:
            raise DataError(
                f"{folder / 'config.json'}: {key} '{shortened(value)}' is code of the Hub, which is run with "
                f"{trust} only"
            )


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the keys and values of a configuration and of all configurations nested in it."""
    for key, value in config.items():
        yield key, value
        if isinstance(value, dict):
            yield from _entries(value)
