"""A model of a run: built from its configuration, with weights from the run's own random stream."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, PretrainedConfig, PreTrainedModel

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.import_paths import is_import_path
from sleep_tune.models.any_architecture import count_weights, find_class, require_memory
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.models.own_model import build_own
from sleep_tune.models.text_format import TextFormat
from sleep_tune.models.trial_row import skip_padding_check, try_row, unused_output_bias
from sleep_tune.names import OBJECTIVES_OF
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["build_model", "check_architecture", "draw_weights"]


def build_model(
    model: ModelConfig,
    *,
    objective: str = "mlm",
    vocab_size: int,
    max_length: int,
    special: SpecialTokens,
    seed: int,
) -> PreTrainedModel:
    """Return a model with weights from the random stream (seed, INIT); torch's own generator is left as it was.

    Its configuration names the objective as `training_objective`, so that a saved folder says how to read it.

    Args:
        model: architecture and sizes.
        objective: a name of OBJECTIVES, which decides the class: causal for `clm`, masked otherwise.
        vocab_size: rows of the embedding, special tokens included, >= 1.
        max_length: tokens in the longest row, special tokens included, >= 1.
        special: ids of the special tokens.
        seed: the run's seed (training.seed), >= 0.

    Returns:
        The model on the CPU in float32, in training mode, with SDPA attention where the architecture has it.

    Raises:
        ConfigError: an unknown architecture, one that is not trained with this objective, a width that is no multiple
            of the heads, or a model that cannot be built from its options; or see `build_own`.
    """
    text = TextFormat(vocab_size, max_length, special)
    if is_import_path(model.kind):
        with draw_weights(seed):
            own: PreTrainedModel = build_own(model, text, objective)
        own.config.training_objective = objective
        skip_padding_check(own)
        return own
    config = _configure(model, text, objective)
    if model.kind == "hf":
        require_memory(count_weights(config, objective))
    attention = (
        "sdpa" if find_class(type(config), objective, f"model.config={model.config}")._supports_sdpa else "eager"
    )
    opener: Any = AutoModelForCausalLM if objective == "clm" else AutoModelForMaskedLM
    with draw_weights(seed):
        built: PreTrainedModel = opener.from_config(config, attn_implementation=attention)
    skip_padding_check(built)
    if model.kind == "hf":
        try_row(built, objective, max_length)
    elif (bias := unused_output_bias(built)) is not None:
        bias.requires_grad_(False)  # DDP would wait for its gradient
    trained: PreTrainedModel = built.train()
    return trained


def check_architecture(
    model: ModelConfig, *, objective: str, vocab_size: int, max_length: int, special: SpecialTokens
) -> None:
    """Check that a model can be built, without memory for its weights; see `build_model` for the arguments.

    Raises:
        ConfigError: see `build_model`.
    """
    config = _configure(model, TextFormat(vocab_size, max_length, special), objective)
    count_weights(config, objective)


def _configure(model: ModelConfig, text: TextFormat, objective: str) -> PretrainedConfig:
    """Return the configuration of a model of transformers that is trained with an objective."""
    if model.kind not in ARCHITECTURES:
        raise ConfigError(unknown("model.kind", model.kind, ARCHITECTURES))
    if objective not in OBJECTIVES_OF[model.kind]:
        raise ConfigError(
            f"training.objective must be one of {', '.join(OBJECTIVES_OF[model.kind])} for model.kind={model.kind}; "
            f"got {objective}"
        )
    if model.kind != "hf" and model.hidden % model.heads:
        raise ConfigError(
            f"model.hidden must be a multiple of model.heads; got hidden {model.hidden} and heads {model.heads}"
        )
    config = ARCHITECTURES[model.kind].configure(model, text)
    config.training_objective = objective
    if objective == "clm":
        config.is_decoder = True
    return config


@contextmanager
def draw_weights(seed: int) -> Iterator[None]:
    """Let torch draw from the random stream (seed, INIT) within the block; its own generator is left as it was."""
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(int(generator(seed, Purpose.INIT, 0).integers(2**63)))
    try:
        yield
    finally:
        torch.set_rng_state(before)
