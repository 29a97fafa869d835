"""Logits of any language model at some positions, and how they depend on padding and on later tokens."""

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from sleep_tune.evaluation.model_config import MASKED
from sleep_tune.evaluation.positions import readable_positions
from sleep_tune.models.attention_masks import square_mask
from sleep_tune.models.sparse import masked_logits, runs_at_positions

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["DENSE_LOGITS", "first_token_sees_others", "ignores_padding", "logits_at", "padding_changes_states"]

DENSE_LOGITS = 2**26
"""Highest number of logits at a time of a model that computes them at every position (256 MB in float32)."""

ROUNDING = 1e-3
"""Two outputs are equal up to this share of their standard deviation: the order of sums varies."""

PROBE = 8
"""Number of tokens in the texts of the checks below."""


def ignores_padding(model: "PreTrainedModel", text: torch.Tensor, pad: int, length: int) -> bool:
    """Return whether a model's logits are the same with and without padding, by reading one text both ways in float32.

    A convolution or a Fourier transform over the tokens (ConvBERT, MobileBERT, FNet, Nystromformer) ignores the
    attention mask.

    Args:
        model: in evaluation mode, on its own device.
        text: (1, T) int64, without padding.
        pad: token that fills a row.
        length: number of tokens with padding, above T.
    """
    if runs_at_positions(model):
        return True
    size = text.shape[1]
    padded = torch.nn.functional.pad(text, (0, length - size), value=pad)
    mask = torch.nn.functional.pad(torch.ones_like(text), (0, length - size))
    positions = torch.arange(size, device=text.device)
    with torch.autocast(text.device.type, enabled=False):
        alone = logits_at(model, text, None, positions).float()
        beside = logits_at(model, padded, mask, positions).float()
    return not _differ(alone, beside)


def first_token_sees_others(model: "PreTrainedModel", one: int, other: int) -> bool:
    """Return whether a model's output at the first token depends on the tokens after it.

    Args:
        model: with a head or without, in evaluation mode, on the CPU.
        one: a token that is not special.
        other: another one.
    """
    length = min(PROBE, readable_positions(model) or PROBE)
    texts = [torch.tensor([[one] + [last] * (length - 1)]) for last in (one, other)]
    with torch.no_grad():
        first, second = (model(input_ids=text, attention_mask=torch.ones_like(text))[0][0, 0] for text in texts)
    return _differ(first, second)


def padding_changes_states(trunk: "PreTrainedModel", token: int, pad: int, side: str = "right") -> bool:
    """Return whether the hidden states of a text depend on padding beside it, in spite of the attention mask.

    Args:
        trunk: model without head, in evaluation mode, on the CPU.
        token: one that is not special.
        pad: token that fills a row.
        side: right or left of the text. Padding on the left also moves positions that a model counts from the row's
            beginning (GPT-2).
    """
    length = min(PROBE, readable_positions(trunk) or PROBE)
    size = length // 2
    row, ones = torch.full((1, length), pad), torch.zeros((1, length), dtype=torch.int64)
    own = slice(size) if side == "right" else slice(length - size, length)
    row[:, own], ones[:, own] = token, 1
    with torch.no_grad():
        padded = trunk(input_ids=row, attention_mask=ones)[0][0, own]
        alone = trunk(input_ids=row[:, own], attention_mask=ones[:, own])[0][0]
    return _differ(alone, padded)


def _differ(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two outputs differ by more than rounding; NaN counts as equal."""
    return bool((one - other).abs().max() > ROUNDING * one.std(correction=0))


def logits_at(
    model: "PreTrainedModel",
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor | None,
    positions: torch.Tensor,
    *,
    causal: bool = False,
) -> torch.Tensor:
    """Return the logits at some positions of a batch.

    A model of `sleep_tune.models.sparse` computes them there only. Any other model is called as the official pipeline
    does, with ids and mask, and computes all logits; the batch is split if that would take too much memory.

    Args:
        model: any masked or causal language model.
        input_ids: (B, T) int64.
        attention_mask: (B, T) int64, 0 at padding; None if nothing is padded.
        positions: (S,) int64, different flat indices b * T + t in ascending order.
        causal: read from left to right; a masked model, as a hybrid one is in training, then gets a causal mask.

    Returns:
        (S, V) logits.
    """
    if causal and _sees_both_sides(model):
        attention_mask = _causal_mask(model, input_ids)
    if runs_at_positions(model):
        return masked_logits(model, input_ids, attention_mask, positions)
    if attention_mask is None:
        attention_mask = torch.ones_like(input_ids)
    # During training, `forward` of the model itself is another function, which returns losses (`sparse_forward`).
    forward = partial(type(model).forward, model)
    options = {"use_cache": False} if "use_cache" in inspect.signature(forward).parameters else {}
    length = input_ids.shape[1]
    rows = max(1, DENSE_LOGITS // (length * int(model.config.vocab_size)))
    parts = []
    for start in range(0, len(input_ids), rows):
        stop = start + rows
        answer: Any = forward(input_ids=input_ids[start:stop], attention_mask=attention_mask[start:stop], **options)
        logits = answer[0] if isinstance(answer, tuple) else answer["logits"]
        here = positions[(positions >= start * length) & (positions < stop * length)] - start * length
        flat = logits.flatten(0, 1)
        # As many positions as tokens are all of them, and need no copy.
        parts.append(flat if len(here) == len(flat) else flat.index_select(0, here))
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _sees_both_sides(model: "PreTrainedModel") -> bool:
    """Return whether a model is a masked one, whose positions see those after them unless a mask forbids it."""
    return type(model).__name__.endswith(MASKED) and not getattr(model.config, "is_decoder", False)


def _causal_mask(model: "PreTrainedModel", input_ids: torch.Tensor) -> torch.Tensor:
    """Return a boolean mask (B, 1, T, T) by which a position sees those up to itself; padding is after all of them.

    Raises:
        ValueError: the attention is eager, which adds a boolean mask to its scores and so sees all positions.
    """
    if model.config._attn_implementation == "eager":
        raise ValueError("a masked model needs attn_implementation=sdpa to be read from left to right; got eager")
    return square_mask(torch.ones_like(input_ids, dtype=torch.bool), causal=True)
