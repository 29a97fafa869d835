"""Forward passes that compute logits and losses at some positions only.

Suffixes of tensor names: B rows, T tokens in a row, H hidden width, M positions, V vocabulary.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional
from transformers import (
    AttentionInterface,
    DebertaV2ForMaskedLM,
    GPT2LMHeadModel,
    LlamaForCausalLM,
    ModernBertForMaskedLM,
    PreTrainedModel,
    RobertaForCausalLM,
    RobertaForMaskedLM,
    RobertaPreLayerNormForCausalLM,
    RobertaPreLayerNormForMaskedLM,
)
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from sleep_tune.models.evaluation_mode import evaluation_mode
from sleep_tune.models.token_losses import linear_cross_entropy

__all__ = ["masked_logits", "runs_at_positions", "sparse_forward"]

ROBERTA = (RobertaForMaskedLM, RobertaPreLayerNormForMaskedLM, RobertaForCausalLM, RobertaPreLayerNormForCausalLM)
PLAIN = (GPT2LMHeadModel, LlamaForCausalLM)
"""Models whose output embedding multiplies the trunk's states as they are."""
TRANSFORMED = (ModernBertForMaskedLM, DebertaV2ForMaskedLM)
"""Models with a layer between the trunk and the output embedding."""

CAUSAL = "sleep_tune_causal"
"""Name in transformers of torch's attention without any mask, for models that are always causal.

For "sdpa", transformers looks for packed texts in rows without a mask: it reads a value back from the device for each
batch, and under torch.compile makes a mask, with which torch cannot use its fast causal kernels.
"""
AttentionInterface.register(CAUSAL, sdpa_attention_forward)


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


class HeadInput:
    """A forward pre-hook of an output embedding that, when positions are set, takes the states there out of its input.

    The output embedding itself then multiplies nothing. Whatever stands before it in the model has been computed.
    """

    def __init__(self) -> None:
        self.positions: torch.Tensor | None = None
        self.states_MH = torch.empty(0)

    def __call__(self, module: torch.nn.Module, states: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        """Keep (M, H) of (B, T, H) states and pass none on; None, which leaves them unchanged, without positions."""
        if self.positions is None:
            return None
        self.states_MH = states[0].flatten(0, -2).index_select(0, self.positions)
        return (states[0][..., :0, :],)


def masked_logits(
    model: PreTrainedModel, input_ids: torch.Tensor, attention_mask: Any, positions: torch.Tensor
) -> torch.Tensor:
    """Return logits at some positions, without computing what none of them needs.

    The head is applied at those positions only, and so is RoBERTa's last layer from its attention's output on: the
    states of other positions are not used after it.

    Args:
        model: one for which `runs_at_positions` is true.
        input_ids: (B, T) int64.
        attention_mask: in a form that the model reads; None where nothing is padded.
        positions: (M,) int64, flat indices b * T + t.

    Returns:
        (M, V) logits, equal to the dense model's at those positions.
    """
    head = _output_embedding(model)
    logits_MV: torch.Tensor = head(_states(model, _selection(model), input_ids, attention_mask, positions))
    return logits_MV


def runs_at_positions(model: torch.nn.Module) -> bool:
    """Return whether logits of this model can be computed at some positions only.

    Those of a subclass may differ from its base class, whose parts are used here.
    """
    return type(model) in (*ROBERTA, *PLAIN, *TRANSFORMED) and getattr(model, "legacy", True)


@contextmanager
def sparse_forward(
    model: PreTrainedModel, compiled: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None
) -> Iterator[None]:
    """Let calls of the model return the losses of labels at some positions within the block.

    DDP and autocast wrap a model's forward; a loss that did not call it would lose both. The forward takes input_ids
    (B, T), attention_mask, positions (M,) and labels (M,), and returns what `linear_cross_entropy` does: the sum of the
    losses, with its gradient, and (M,) losses. A model for which `runs_at_positions` is false computes its logits at
    every position if these are not the plain products of its output embedding.

    Args:
        model: the model that is trained.
        compiled: function that compiles a function, for all of this forward but the losses: their loop over chunks has
            another length in each batch, and torch keeps no graph that has gradients of our own. Other forwards of the
            model, as in an evaluation, are not compiled.
    """
    is_sparse = runs_at_positions(model)
    selection = _selection(model) if is_sparse else None
    head, dense = _output_embedding(model), model.forward
    has_plain_logits = is_sparse or makes_plain_logits(model)
    head_input = HeadInput()
    hook = None if is_sparse or not has_plain_logits else head.register_forward_pre_hook(head_input)

    def find_states(input_ids: torch.Tensor, attention_mask: Any, positions: torch.Tensor) -> torch.Tensor:
        if is_sparse:
            return _states(model, selection, input_ids, attention_mask, positions)
        if not has_plain_logits:
            logits_BTV: torch.Tensor = dense(input_ids=input_ids, attention_mask=attention_mask).logits
            return logits_BTV.flatten(0, 1).index_select(0, positions)
        head_input.positions = positions
        try:
            dense(input_ids=input_ids, attention_mask=attention_mask)
        finally:
            head_input.positions = None
        return head_input.states_MH

    states: Callable[..., torch.Tensor] = find_states if compiled is None else compiled(find_states)

    def forward(
        input_ids: torch.Tensor, attention_mask: Any, positions: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        found = states(input_ids, attention_mask, positions)
        if has_plain_logits:
            return linear_cross_entropy(found, head.weight, head.bias, labels)
        losses = functional.cross_entropy(found.float(), labels, reduction="none")
        return losses.sum(), losses.detach()

    config = model.config
    attention = config._attn_implementation
    if attention == "sdpa" and is_sparse and getattr(config, "training_objective", None) == "clm":
        config._attn_implementation = CAUSAL
    model.forward = forward
    try:
        yield
    finally:
        del model.forward
        config._attn_implementation = attention
        if hook is not None:
            hook.remove()


def makes_plain_logits(model: PreTrainedModel) -> bool:
    """Return whether a model's logits are the products of its output embedding, neither scaled nor capped.

    One row is read, with states so large that a cap of the logits shows: with the first weights of a model, logits are
    so small that a cap hardly changes them.

    Args:
        model: any masked or causal language model, which is left as it was.
    """
    head = _output_embedding(model)
    if not isinstance(head, torch.nn.Linear):
        return False
    seen: list[torch.Tensor] = []
    input_ids = torch.arange(PROBE, device=head.weight.device)[None] % len(head.weight)
    row: dict[str, Any] = {"input_ids": input_ids, "attention_mask": torch.ones_like(input_ids)}

    def amplify(module: torch.nn.Module, states: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        seen.append(states[0] * AMPLIFICATION)
        return (seen[-1],)

    head_input = HeadInput()
    head_input.positions = torch.arange(PROBE, device=head.weight.device)
    try:
        with evaluation_mode(model), head.register_forward_pre_hook(amplify):
            logits = model(**row).logits.flatten(0, 1)
        with evaluation_mode(model), head.register_forward_pre_hook(head_input):
            model(**row)
    except Exception:  # an architecture may fail on so short a row, or on states of no position, in its own way
        return False
    if len(seen) != 1:
        return False
    states = seen[0].flatten(0, -2)
    products = functional.linear(states, head.weight, head.bias)
    return _equal(products, logits) and _equal(head_input.states_MH * AMPLIFICATION, states)


PROBE = 8
"""Tokens of the row that `makes_plain_logits` reads."""
AMPLIFICATION = 1e3
"""Factor on its states."""


def _equal(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two tensors are equal up to rounding."""
    return one.shape == other.shape and torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(other.std()))


def _output_embedding(model: Any) -> Any:
    """Return the layer that makes logits, with a weight (V, H) and a bias (V,) or None."""
    return model.get_output_embeddings()


def _states(
    model: PreTrainedModel,
    selection: Selection | None,
    input_ids: torch.Tensor,
    attention_mask: Any,
    positions: torch.Tensor,
) -> torch.Tensor:
    """Return (M, H) states that the output embedding multiplies."""
    trunk: Any = model.base_model
    if selection is None:
        states_BTH: torch.Tensor = trunk(input_ids=input_ids, attention_mask=attention_mask)[0]
        return _transformed(model, states_BTH.flatten(0, 1).index_select(0, positions))
    selection.positions = positions
    try:
        states_MH: torch.Tensor = trunk(input_ids=input_ids, attention_mask=attention_mask)[0]
    finally:
        selection.positions = None
    head: Any = model.lm_head
    transformed: torch.Tensor = head.layer_norm(functional.gelu(head.dense(states_MH)))
    return transformed


def _transformed(model: Any, states_MH: torch.Tensor) -> torch.Tensor:
    """Return the states of a trunk after the layer that stands before the output embedding, if there is one."""
    transformed: torch.Tensor = states_MH
    if isinstance(model, ModernBertForMaskedLM):
        transformed = model.head(states_MH)
    elif isinstance(model, DebertaV2ForMaskedLM):
        transformed = model.cls.predictions.transform(states_MH)
    return transformed


def _selection(model: PreTrainedModel) -> Selection | None:
    """Return RoBERTa's hook, which is registered once and stays: torch.compile cannot trace its registration."""
    if not isinstance(model, ROBERTA):
        return None
    trunk: Any = model.base_model
    output = trunk.encoder.layer[-1].attention.output
    for hook in output._forward_pre_hooks.values():
        if isinstance(hook, Selection):
            return hook
    selection = Selection()
    output.register_forward_pre_hook(selection)
    return selection
