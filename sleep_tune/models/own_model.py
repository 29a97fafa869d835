"""A model by a function of the user's own code (`model.kind=my_lab.models:build`), checked before it is trained.

The function gets the options of `model`, any of which it may read, and what the model must hold of the text:

    from transformers import GPT2Config, GPT2LMHeadModel


    def build(model, *, vocab_size, max_length, special, objective):
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=vocab_size,
                n_positions=max_length,
                n_embd=model.hidden,
                n_layer=model.layers,
                n_head=model.heads,
                bos_token_id=special.start,
                eos_token_id=special.separator,
                pad_token_id=special.pad,
            )
        )

Initial weights must be drawn by torch's generator, which has the seed of the run. The model is called with `input_ids`
(B, T) int64 and `attention_mask`, and its output has `logits` (B, T, V). The mask is (B, T) int64, 0 at padding; None
where nothing is padded, and for the objective `clm`, whose padding is at the right end.
"""

from collections.abc import Callable
from typing import Any

import torch
from transformers import (
    CONFIG_MAPPING,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    PreTrainedModel,
)

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError, listed, shortened
from sleep_tune.import_paths import import_function, require_parameters
from sleep_tune.models.evaluation_mode import evaluation_mode
from sleep_tune.models.sparse import masked_logits, runs_at_positions
from sleep_tune.models.text_format import TextFormat
from sleep_tune.models.trial_row import try_row

__all__ = ["build_own"]

KEY = "model.kind"

ROUNDING = 1e-3
"""Difference between equal logits, as a share of their standard deviation."""


def build_own(model: ModelConfig, text: TextFormat, objective: str) -> PreTrainedModel:
    """Return the model of the function that `model.kind` names, after it was tried on a row.

    A class of the user's own is registered with the Auto classes: a saved folder then holds the source files of model
    and configuration, and opens with `trust_remote_code=True` where the modules that these files import are installed.

    Args:
        model: the options of the model.
        text: what it must hold of the text.
        objective: 'clm' or 'mlm'.

    Raises:
        ConfigError: the function does not return a model that can be trained, saved and opened again.
    """
    name = f"{KEY}={model.kind}"
    build: Callable[..., object] = import_function(model.kind, KEY).function
    require_parameters(build, name, "model", named=("vocab_size", "max_length", "special", "objective"))
    try:
        built = build(
            model, vocab_size=text.vocab_size, max_length=text.max_length, special=text.special, objective=objective
        )
    except SystemExit as error:  # it would end the command without a word
        raise ConfigError(f"{name} must return a PreTrainedModel of transformers; it called sys.exit") from error
    if not isinstance(built, PreTrainedModel):
        raise ConfigError(f"{name} must return a PreTrainedModel of transformers; got {shortened(repr(built))}")
    _check_weights(built, name)
    rows = getattr(built.config, "vocab_size", None)
    if rows != text.vocab_size:
        raise ConfigError(f"{name} must return a model whose config.vocab_size is {text.vocab_size}; got {rows}")
    _check_opening(built, AutoModelForCausalLM if objective == "clm" else AutoModelForMaskedLM, name)
    _check_logits(built, text, name)
    try_row(built, objective, text.max_length, name)
    trained: PreTrainedModel = built.train()
    return trained


def _check_weights(model: PreTrainedModel, name: str) -> None:
    wrong = [
        f"{key} ({parameter.dtype} on {parameter.device})"
        for key, parameter in model.named_parameters()
        if parameter.device.type != "cpu" or parameter.dtype != torch.float32
    ]
    if wrong:
        raise ConfigError(f"{name} must return a model with weights of torch.float32 on the cpu; got {listed(wrong)}")


def _check_opening(model: PreTrainedModel, opener: Any, name: str) -> None:
    """Check that an Auto class makes the same model from its configuration, or register classes of the user's own."""
    config: Any = model.config
    kinds = (type(model), type(config))
    if not any(map(_is_of_transformers, kinds)):
        if config.model_type in CONFIG_MAPPING or not config.model_type:
            raise ConfigError(
                f"{name}: {kinds[1].__name__} must have a model_type of its own, else a saved folder is opened as "
                f"another model; got '{config.model_type}'"
            )
        _register(kinds[1], "AutoConfig", name)
        _register(kinds[0], opener.__name__, name)
        return
    found = opener._model_mapping.get(kinds[1], ()) if _is_of_transformers(kinds[1]) else ()
    if kinds[0] not in (found if isinstance(found, tuple) else (found,)):
        raise ConfigError(
            f"{name} must return a model that {opener.__name__} opens: both of transformers, or model and "
            f"configuration of classes of your own; got {kinds[0].__name__} with {kinds[1].__name__}"
        )
    with torch.device("meta"):
        opened = opener.from_config(config)
    ours, theirs = ({key: value.shape for key, value in one.state_dict().items()} for one in (model, opened))
    changed = [key for key in sorted({*ours, *theirs}) if ours.get(key) != theirs.get(key)]
    if changed:
        raise ConfigError(
            f"{name} must return a {kinds[0].__name__} as its configuration describes it, else a saved one cannot be "
            f"opened: give it classes of its own; got other weights in {listed(changed)}"
        )


def _is_of_transformers(kind: type) -> bool:
    return kind.__module__.startswith("transformers.")


def _register(kind: Any, opener: str, name: str) -> None:
    """Let `save_pretrained` write the source file of a class, and name the class in config.json for an Auto class."""
    if "<locals>" in kind.__qualname__:
        raise ConfigError(
            f"{name}: the class {kind.__name__} must be at the top level of its module, so that a saved folder can be "
            "opened; it is inside a function"
        )
    if kind.__dict__.get("_auto_class") is None:
        kind.register_for_auto_class(opener)


def _check_logits(model: PreTrainedModel, text: TextFormat, name: str) -> None:
    """Check the logits of two rows, and that those at some positions, if they are computed alone, are the same."""
    with evaluation_mode(model):
        ids = torch.arange(2 * text.max_length).reshape(2, -1) % text.vocab_size
        logits: Any = model(input_ids=ids, attention_mask=None).logits
        expected = (*ids.shape, text.vocab_size)
        if tuple(logits.shape) != expected:
            raise ConfigError(f"{name} must return a model with logits of shape {expected}; got {tuple(logits.shape)}")
        if not logits.isfinite().all():
            raise ConfigError(f"{name} must return a model with finite logits; got NaN or infinity")
        if runs_at_positions(model):
            positions = torch.arange(1, ids.numel(), 3)
            difference = masked_logits(model, ids, None, positions) - logits.flatten(0, 1)[positions]
            if not difference.abs().max() <= ROUNDING * logits.std(correction=0):
                raise ConfigError(
                    f"{name} must return a {type(model).__name__} that computes its logits as transformers does: give "
                    "it classes of its own"
                )
