"""Masked language models: built from configuration, with logits at masked positions only.

The only module that depends on the names of an architecture's trunk and head.

Suffixes of tensor names: B rows, T tokens in a row, H hidden width, M masked positions, V vocabulary.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import (
    PretrainedConfig,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    RobertaPreLayerNormConfig,
    RobertaPreLayerNormForMaskedLM,
)

from sleep_tune.config.schema import ModelConfig
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.samples import SpecialTokens

__all__ = [
    "MODELS",
    "build_model",
    "count_flops",
    "masked_logits",
    "names_to_decay",
    "runs_at_positions",
    "sparse_forward",
]


def roberta(**options: Any) -> PreTrainedModel:
    """RoBERTa (Liu et al. 2019, arXiv 1907.11692): layer norm after each block."""
    return RobertaForMaskedLM(RobertaConfig(**options))


def roberta_prelayernorm(**options: Any) -> PreTrainedModel:
    """RoBERTa with the layer norm before each block, which trains stably without a long warm-up.

    As in Wettig et al. 2023 (arXiv 2202.08005) and Ott et al. 2019's fairseq.
    """
    return RobertaPreLayerNormForMaskedLM(RobertaPreLayerNormConfig(**options))


MODELS: dict[str, Callable[..., PreTrainedModel]] = {
    "roberta": roberta,
    "roberta_prelayernorm": roberta_prelayernorm,
}
"""Name of `model.kind` -> function (options shared by all) -> model with random weights on the CPU."""


NORMS = (torch.nn.LayerNorm, torch.nn.RMSNorm, torch.nn.GroupNorm, torch.nn.modules.batchnorm._NormBase)
"""Torch's normalisation modules; the last is the base class of its batch and instance norms."""
NORM_CLASS = re.compile(r"Norm(Gated|[1-3]d)?$")
"""Class names of the normalisation modules of transformers, such as LlamaRMSNorm: they have no common base class."""


def build_model(
    model: ModelConfig, *, vocab_size: int, max_length: int, special: SpecialTokens, seed: int
) -> PreTrainedModel:
    """Return a model with weights from the random stream (seed, INIT); torch's own generator is left as it was.

    Args:
        model: architecture and sizes.
        vocab_size: rows of the embedding, special tokens included, >= 1.
        max_length: tokens in the longest row, special tokens included, >= 1.
        special: ids of the special tokens.
        seed: the run's seed (training.seed), >= 0.

    Returns:
        The model on the CPU in float32, in training mode, with SDPA attention.

    Raises:
        ConfigError: an unknown architecture, or a width that is no multiple of the heads.
    """
    if model.kind not in MODELS:
        raise ConfigError(unknown("model.kind", model.kind, MODELS))
    if model.hidden % model.heads:
        raise ConfigError(
            f"model.hidden must be a multiple of model.heads; got hidden {model.hidden} and heads {model.heads}"
        )
    before = torch.get_rng_state()
    torch.default_generator.manual_seed(int(generator(seed, Purpose.INIT, 0).integers(2**63)))
    try:
        built = MODELS[model.kind](
            vocab_size=vocab_size,
            hidden_size=model.hidden,
            num_hidden_layers=model.layers,
            num_attention_heads=model.heads,
            intermediate_size=model.feed_forward,
            hidden_dropout_prob=model.dropout,
            attention_probs_dropout_prob=model.attention_dropout,
            initializer_range=model.initializer_range,
            tie_word_embeddings=model.tie_embeddings,
            # RoBERTa counts positions from pad + 1 on.
            max_position_embeddings=max_length + special.pad + 1,
            type_vocab_size=1,
            bos_token_id=special.start,
            eos_token_id=special.separator,
            pad_token_id=special.pad,
            attn_implementation="sdpa",
        )
    finally:
        torch.set_rng_state(before)
    if not model.tie_embeddings:
        # The decoder then has a bias of its own and this one is unused; DDP would wait for its gradient.
        head: Any = built.lm_head
        head.bias.requires_grad_(False)
    trained: PreTrainedModel = built.train()
    return trained


class Selection:
    """A forward pre-hook that, when positions are set, passes only the states at those positions to a module."""

    def __init__(self) -> None:
        self.positions: torch.Tensor | None = None

    def __call__(
        self, module: torch.nn.Module, states_BTH: tuple[torch.Tensor, ...]
    ) -> tuple[torch.Tensor, ...] | None:
        """Return (M, H) from each (B, T, H); None, which leaves the states unchanged, without positions."""
        if self.positions is None:
            return None
        return tuple(states.flatten(0, 1).index_select(0, self.positions) for states in states_BTH)


def masked_logits(
    model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor | None, positions: torch.Tensor
) -> torch.Tensor:
    """Return logits at the masked positions, without computing what no masked position needs.

    The head is applied at the masked positions only, and so is the last layer from its attention's output on: the
    states of other positions are not used after it.

    Args:
        model: any model of `MODELS`.
        input_ids: (B, T) int64.
        attention_mask: (B, T), 0 at padding; None where nothing is padded.
        positions: (M,) int64, flat indices b * T + t.

    Returns:
        (M, V) logits, equal to the dense model's at those positions.
    """
    return _masked_logits(model, _selection(model), input_ids, attention_mask, positions)


def runs_at_positions(model: torch.nn.Module) -> bool:
    """Return whether `masked_logits` can be used with this model."""
    return isinstance(model, RobertaForMaskedLM | RobertaPreLayerNormForMaskedLM)


@contextmanager
def sparse_forward(model: PreTrainedModel) -> Iterator[None]:
    """Let calls of the model compute `masked_logits` within the block.

    DDP, autocast and torch.compile all wrap a model's forward; a loss that did not call it would lose all three.
    """
    selection = _selection(model)

    def forward(input_ids: torch.Tensor, attention_mask: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor:
        return _masked_logits(model, selection, input_ids, attention_mask, positions)

    model.forward = forward
    try:
        yield
    finally:
        del model.forward


def _masked_logits(
    model: PreTrainedModel,
    selection: Selection,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    positions: torch.Tensor,
) -> torch.Tensor:
    trunk: Any = model.base_model
    selection.positions = positions
    try:
        hidden_MH = trunk(input_ids=input_ids, attention_mask=attention_mask)[0]
    finally:
        selection.positions = None
    logits_MV: torch.Tensor = model.lm_head(hidden_MH)
    return logits_MV


def _selection(model: PreTrainedModel) -> Selection:
    """Return the model's hook, which is registered once and stays: torch.compile cannot trace its registration."""
    trunk: Any = model.base_model
    output = trunk.encoder.layer[-1].attention.output
    for hook in output._forward_pre_hooks.values():
        if isinstance(hook, Selection):
            return hook
    selection = Selection()
    output.register_forward_pre_hook(selection)
    return selection


def names_to_decay(model: torch.nn.Module) -> list[str]:
    """Return the names of the parameters that weight decay acts on: all but biases and those of norms.

    The type of the module and the parameter's own name decide. The path to the module does not: it may contain words
    such as `roberta_prelayernorm`.

    Args:
        model: any model; a tied parameter is returned once for each module that has it.
    """
    return [
        name
        for path, module in model.named_modules()
        if not _is_norm(module)
        for name, _ in module.named_parameters(prefix=path, recurse=False)
        if not name.endswith("bias")
    ]


def _is_norm(module: torch.nn.Module) -> bool:
    """Return whether a module normalises and has no submodules, as one that also projects would."""
    is_norm = isinstance(module, NORMS) or NORM_CLASS.search(type(module).__name__) is not None
    return is_norm and next(module.children(), None) is None


def count_flops(config: PretrainedConfig, *, tokens: int, predicted: int, length: int) -> float:
    """Return the floating-point operations of training: 2 for each multiply-add; the backward pass counts as 2 forward.

    Counts the matrix products of `masked_logits` (projections, attention, feed-forward, head), not norms, activations
    and the optimizer.

    Args:
        config: the model's configuration.
        tokens: tokens that went through the trunk, padding included, >= 0.
        predicted: positions that went through the head, >= 0.
        length: tokens in a row, T, >= 1.
    """
    width, depth = int(config.hidden_size), int(config.num_hidden_layers)
    mixing = 2 * 3 * width**2 + 4 * length * width
    thinking = 2 * width**2 + 4 * width * int(config.intermediate_size)
    head = 2 * (width**2 + width * int(config.vocab_size))
    forward = tokens * (depth * mixing + (depth - 1) * thinking) + predicted * (thinking + head)
    return 3.0 * forward
