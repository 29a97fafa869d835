"""Configuration of an architecture of transformers that the user names (`model=hf`).

An option that nothing reads is refused. What the text decides is set here: vocabulary, special tokens, positions.
"""

import inspect
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    MODEL_FOR_CAUSAL_LM_MAPPING,
    MODEL_FOR_MASKED_LM_MAPPING,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers import __version__ as version

from sleep_tune.config.model_file import SET_BY_TEXT, SET_BY_TRAINING
from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError, listed, nearest, shortened
from sleep_tune.models.text_format import TextFormat

__all__ = ["configure", "count_weights", "find_class", "require_memory"]

CLASSES: Mapping[str, Any] = {"clm": MODEL_FOR_CAUSAL_LM_MAPPING, "mlm": MODEL_FOR_MASKED_LM_MAPPING}
"""Objective -> transformers' table of classes that it can be trained with, by class of the configuration."""

READ = re.compile(r"config\.(\w+)|getattr\([\w.]*config, ?\"(\w+)\"")
"""Use of an option in the source of a model."""
COUNTS_FROM_PAD = "create_position_ids_from_input_ids"
"""Function of models that count positions from pad + 1 on, as RoBERTa does."""
POSITIONS = "max_position_embeddings"
MOST_LAYERS = 1_000


def configure(model: ModelConfig, text: TextFormat) -> PretrainedConfig:
    """Return the configuration that `model.config` and `model.options` describe.

    Positions that the options do not set are as many as a row needs.

    Raises:
        ConfigError: no such model type, or one that does not read text alone; an option that it does not have, or that
            the text or the training decides, or a value that it does not take; too few positions for a row, or
            absurdly many layers.
    """
    kind = str(model.config)
    if kind not in CONFIG_MAPPING:
        close = nearest(kind, CONFIG_MAPPING)
        hint = f"; did you mean {close}?" if close else ""
        raise ConfigError(
            f"model.config must be a model type of transformers {version}, such as opt or bert (model.init takes an id "
            f"on the Hub); got {kind}{hint}"
        )
    config_class = CONFIG_MAPPING[kind]
    given = {**model.options}
    for names, what in ((SET_BY_TEXT, "the tokenizer"), (SET_BY_TRAINING, "the training")):
        if decided := [name for name in given if name in names]:
            raise ConfigError(f"model.options must not set {listed(decided, 9)}, which {what} decides")
    _require_text_alone(config_class, kind)
    source = _source(config_class)
    _require_known(given, config_class, source, kind)
    try:
        config: PretrainedConfig = config_class(**given)
        for name, value in {"vocab_size": text.vocab_size, **text.token_ids()}.items():
            setattr(config, name, value)
    except Exception as error:  # each configuration checks its options in its own way
        raise ConfigError(f"model.options do not fit model.config={kind}: {_sentence(error)}") from error
    for name, value in config.to_dict().items():
        if name.endswith(("layer", "layers")) and isinstance(value, int) and value > MOST_LAYERS:
            raise ConfigError(f"model.options.{name} must be at most {MOST_LAYERS:,} layers; got {value:,}")
    _set_positions(config, given, text, from_pad=COUNTS_FROM_PAD in source)
    return config


def find_class(config_class: type[PretrainedConfig], objective: str, given: str) -> type[PreTrainedModel]:
    """Return the class of transformers for a class of configurations and an objective.

    Args:
        config_class: of transformers.
        objective: a name of OBJECTIVES.
        given: option that named the architecture, for messages: 'model.config=opt'.

    Raises:
        ConfigError: the architecture cannot be trained with this objective.
    """
    classes = CLASSES["clm" if objective == "clm" else "mlm"]
    if config_class not in classes:
        other = next((name for name, table in CLASSES.items() if config_class in table), None)
        if other is None:
            raise ConfigError(
                f"{given.partition('=')[0]} must be an architecture that AutoModelForMaskedLM or AutoModelForCausalLM "
                f"of transformers opens, such as bert or opt; got {given}, of type {config_class.model_type}"
            )
        raise ConfigError(
            f"training.objective must be {other} with {given}, of type {config_class.model_type}; got {objective}"
        )
    found = classes[config_class]
    chosen: type[PreTrainedModel] = found[0] if isinstance(found, tuple) else found
    return chosen


def count_weights(config: PretrainedConfig, objective: str) -> int:
    """Return how many weights the model of a configuration has. It is built without memory for them.

    Raises:
        ConfigError: see `find_class`; or no model can be built from the options.
    """
    model_class: Any = find_class(type(config), objective, f"model.config={config.model_type}")
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return sum(weights.numel() for weights in model_class(config).parameters())
    except Exception as error:  # an architecture checks its options where it uses them
        raise ConfigError(
            f"model.options do not fit model.config={config.model_type}: {type(error).__name__}: {_sentence(error)}"
        ) from error


def require_memory(num_weights: int) -> None:
    """Refuse a model whose weights alone are more than the memory of this machine.

    Raises:
        ConfigError: names both sizes.
    """
    needed, memory = 4 * num_weights, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ConfigError(
            f"model.options must describe a model that the memory of this machine holds ({memory / 1e9:,.0f} GB); got "
            f"one of {num_weights:,} weights ({needed / 1e9:,.0f} GB)"
        )


def _require_text_alone(config_class: Any, kind: str) -> None:
    """Refuse an architecture whose text is read by a model within the model: its vocabulary would not be set.

    Raises:
        ConfigError: names the architecture of the inner model, if it can be trained by itself.
    """
    try:
        default = config_class()
        inner = default.get_text_config()
    except Exception as error:  # no defaults, or several inner models
        raise ConfigError(f"model.config must be a model of text alone; got {kind}: {_sentence(error)}") from error
    if inner is not default:
        known = any(type(inner) in classes for classes in CLASSES.values())
        hint = f": use {inner.model_type}, its model of text" if known else ""
        raise ConfigError(f"model.config must be a model of text alone; got {kind}{hint}")


def _set_positions(config: PretrainedConfig, given: Mapping[str, Any], text: TextFormat, *, from_pad: bool) -> None:
    """Let the table of positions hold a row, unless the options say how large it is.

    Raises:
        ConfigError: the options give too few positions.
    """
    names = (POSITIONS, config.attribute_map.get(POSITIONS, POSITIONS))
    if not set(names) & set(config.to_dict()):
        return
    needed = text.max_length + (text.special.pad + 1 if from_pad else 0)
    chosen = next((name for name in names if given.get(name) is not None), None)
    if chosen is None:
        setattr(config, POSITIONS, needed)
    elif not isinstance(given[chosen], int) or given[chosen] < needed:
        raise ConfigError(
            f"model.options.{chosen} must be at least {needed}, for rows of data.max_length={text.max_length}; "
            f"got {given[chosen]}"
        )


def _require_known(given: Mapping[str, Any], config_class: Any, source: str, kind: str) -> None:
    """Refuse options that neither the configuration declares nor the model reads.

    Raises:
        ConfigError: names all of them, with the nearest known name of each.
    """
    declared = {*config_class().to_dict(), *config_class.attribute_map}
    known = declared | {name for pair in READ.findall(source) for name in pair if name and not name.startswith("_")}
    unknown = []
    for name in given:
        if name not in known:
            close = nearest(name, declared) or nearest(name, known)
            unknown.append(f"'{shortened(name)}'" + (f" (did you mean {close}?)" if close else ""))
    if unknown:
        raise ConfigError(f"model.options must be options of model.config={kind}; it has no {', '.join(unknown)}")


def _source(config_class: Any) -> str:
    """Return the source of the file of an architecture's models; empty if it has none for text."""
    for classes in CLASSES.values():
        if config_class in classes:
            found = classes[config_class]
            model_class = found[0] if isinstance(found, tuple) else found
            return inspect.getsource(sys.modules[model_class.__module__])
    return ""


def _sentence(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return shortened(" ".join(lines) or type(error).__name__, 300)
