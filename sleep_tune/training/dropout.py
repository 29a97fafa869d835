"""Fast dropout on a CPU: the same distribution as torch's, from a random stream of the run.

torch draws a Bernoulli number per element with a serial generator, which takes about a third of a training step on a
CPU; its attention does so too, on the largest tensors of the model. Here one 64-bit draw of NumPy's SFC64
serves four elements: an element is dropped when its 16 bits lie below a threshold.

Elements are dropped independently with probability q = round(p * 65536) / 65536 (for p = 0.1: 0.100006), and
those kept are divided by 1 - q, so that the expectation is exact. A run seeds the stream anew for each batch, from
(seed, DROPOUT, batch), so a resumed run drops the same elements without any saved state.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.autograd.function import once_differentiable
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from sleep_tune.sleep.randomness import Purpose, generator

__all__ = ["ATTENTION", "DropoutStream", "FastDropout", "TorchStream", "fast_dropout", "has_fast_dropout"]

ATTENTION = "sleep_tune_cpu"
"""Name under which this module's attention function is registered in transformers."""

FAMILIES = ("deberta-v2", "gpt2", "llama", "modernbert", "roberta", "roberta-prelayernorm")
"""Types of models whose attention is that of `attend`, or their own with modules for dropout. That of others may cap
scores, look at a window or add sinks."""

LEVELS = 2**16
"""Probabilities are multiples of 1 / LEVELS."""


class TorchStream:
    """Seeds torch's own dropout anew for each batch, on any device."""

    def __init__(self, seed: int, rank: int = 0) -> None:
        self._seed = seed
        self._rank = rank

    def start(self, index: int) -> None:
        """Seed the stream for batch `index`, >= 0, whatever was drawn before."""
        torch.manual_seed(int(generator(self._seed, Purpose.DROPOUT, index, self._rank).integers(2**63)))


class DropoutStream:
    """Random bits for every dropout of a model, in the order of calls."""

    def __init__(self, seed: int, rank: int = 0) -> None:
        self._seed = seed
        self._rank = rank
        self.start(0)

    def start(self, index: int) -> None:
        """Seed the stream for batch `index`, >= 0, whatever was drawn before."""
        entropy = np.random.SeedSequence([self._seed, Purpose.DROPOUT, index, self._rank])
        self._bits = np.random.Generator(np.random.SFC64(entropy))

    def draw(self, shape: tuple[int, ...], probability: float) -> tuple[torch.Tensor, float]:
        """Return a bool tensor of `shape`, False where an element is dropped, and the others' factor 1 / (1 - q).

        Args:
            shape: of the values.
            probability: q before rounding, in [0, 1).
        """
        dropped = round(probability * LEVELS)
        size = int(np.prod(shape))
        words = self._bits.integers(0, 2**64, size=-(-size // 4), dtype=np.uint64)
        bits: NDArray[np.uint16] = words.view(np.uint16)[:size]
        return torch.from_numpy((bits >= dropped).reshape(shape)), LEVELS / (LEVELS - dropped)


class DroppedElements(torch.autograd.Function):
    """Dropout with given draws, which keeps a bool of each element for the backward pass, not a float."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, kept: torch.Tensor, factor: float) -> torch.Tensor:
        """Return 0 for elements that are not kept, and `factor` times the others."""
        ctx.factor = factor
        ctx.save_for_backward(kept)
        return (values * kept).mul_(factor)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the gradient of the values."""
        (kept,) = ctx.saved_tensors
        return (gradient * kept).mul_(ctx.factor), None, None


class FastDropout(nn.Module):
    """Replaces nn.Dropout: the same distribution up to quantisation, drawn from a `DropoutStream`."""

    def __init__(self, p: float, stream: DropoutStream) -> None:
        super().__init__()
        self.p = p
        self.stream = stream

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Drop elements of `values` in training mode; return them unchanged otherwise."""
        if not self.training or not self.p:
            return values
        kept, factor = self.stream.draw(tuple(values.shape), self.p)
        dropped: torch.Tensor = DroppedElements.apply(values, kept, factor)  # type: ignore[no-untyped-call]
        return dropped


class DroppedAttention(torch.autograd.Function):
    """Attention with dropout, which keeps one tensor of (B, heads, T, T) numbers for the backward pass, not three.

    Suffixes of tensor names: B rows, N heads, T positions, W width of a head.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query_BNTW: torch.Tensor,
        key_BNTW: torch.Tensor,
        value_BNTW: torch.Tensor,
        blocked: torch.Tensor | None,
        scaling: float,
        kept_BNTT: torch.Tensor,
        factor: float,
    ) -> torch.Tensor:
        """Return (B, T, N, W).

        Args:
            ctx: torch's context.
            query_BNTW: queries.
            key_BNTW: keys.
            value_BNTW: values.
            blocked: added to the scores, broadcast to (B, N, T, T): 0, or the lowest number; None for nothing.
            scaling: factor on the products of queries and keys.
            kept_BNTT: bool, False where a weight is dropped.
            factor: on the weights that are kept.
        """
        query_BNTW = (query_BNTW * scaling).contiguous()
        key_BNTW, value_BNTW = key_BNTW.contiguous(), value_BNTW.contiguous()
        scores_BNTT = torch.matmul(query_BNTW, key_BNTW.transpose(2, 3))
        if blocked is not None:
            scores_BNTT += blocked
        weights_BNTT = torch.softmax(scores_BNTT, -1, dtype=scores_BNTT.dtype)
        output_BNTW = torch.matmul((weights_BNTT * kept_BNTT).mul_(factor), value_BNTW)
        output_BTNW = output_BNTW.transpose(1, 2).contiguous()
        ctx.scaling, ctx.factor = scaling, factor
        ctx.save_for_backward(query_BNTW, key_BNTW, value_BNTW, weights_BNTT, kept_BNTT, output_BTNW)
        return output_BTNW

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient_BTNW: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Return the gradients of queries, keys and values.

        The sum over keys of weight x gradient, which the derivative of softmax needs, is that of output x gradient over
        the width, as in FlashAttention (Dao et al. 2022, arXiv 2205.14135, appendix B.2).
        """
        query_BNTW, key_BNTW, value_BNTW, weights_BNTT, kept_BNTT, output_BTNW = ctx.saved_tensors
        sums_BNT1 = (gradient_BTNW * output_BTNW).sum(-1).transpose(1, 2)[..., None]
        gradient_BNTW = gradient_BTNW.transpose(1, 2).contiguous()
        dropped_BNTT = (weights_BNTT * kept_BNTT).mul_(ctx.factor)
        to_value_BNTW = torch.matmul(dropped_BNTT.transpose(2, 3), gradient_BNTW)
        to_scores_BNTT = torch.matmul(gradient_BNTW, value_BNTW.transpose(2, 3)).mul_(ctx.factor).mul_(kept_BNTT)
        to_scores_BNTT.sub_(sums_BNT1).mul_(weights_BNTT)
        to_query_BNTW = torch.matmul(to_scores_BNTT, key_BNTW).mul_(ctx.scaling)
        to_key_BNTW = torch.matmul(to_scores_BNTT.transpose(2, 3), query_BNTW)
        return to_query_BNTW, to_key_BNTW, to_value_BNTW, None, None, None, None


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    *,
    stream: DropoutStream,
    **options: Any,
) -> tuple[torch.Tensor, None]:
    """Compute scaled dot-product attention: torch's own without dropout, else with dropout from `stream`.

    Args:
        module: the attention module.
        query: (B, heads, T, width).
        key: (B, heads, T, width), or fewer heads, each of which serves as many consecutive heads of queries.
        value: like key.
        attention_mask: (B, 1, T, T) boolean, True where attention is allowed; None for everywhere, or, if causal, for
            everything up to a position.
        dropout: probability that an attention weight is dropped; 0 outside training.
        scaling: factor on the products (default: 1 / sqrt(width)).
        is_causal: whether no mask means that a position sees only those up to it; the module's `is_causal` unless
            given, and True without either, as in transformers.
        stream: source of the draws.
        options: for torch's own attention.

    Returns:
        (B, T, heads, width), and no weights.
    """
    if not dropout:
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, is_causal=is_causal, **options
        )
    if torch.is_autocast_enabled(query.device.type):
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    groups = query.size(1) // key.size(1)
    if groups > 1:
        key, value = key.repeat_interleave(groups, 1), value.repeat_interleave(groups, 1)
    if attention_mask is None and (getattr(module, "is_causal", True) if is_causal is None else is_causal):
        attention_mask = torch.ones(query.size(2), key.size(2), dtype=torch.bool).tril()
    blocked = None
    if attention_mask is not None:
        blocked = torch.zeros(attention_mask.shape, dtype=query.dtype)
        blocked.masked_fill_(~attention_mask, torch.finfo(query.dtype).min)
    kept, factor = stream.draw((*query.shape[:3], key.size(2)), dropout)
    scaling = query.size(-1) ** -0.5 if scaling is None else scaling
    return DroppedAttention.apply(query, key, value, blocked, scaling, kept, factor), None  # type: ignore[no-untyped-call]


AttentionMaskInterface.register(ATTENTION, sdpa_mask)


def has_fast_dropout(model: PreTrainedModel) -> bool:
    """Return whether `fast_dropout` draws what the model's own dropout would: for transformers' classes of FAMILIES."""
    return model.config.model_type in FAMILIES and type(model).__module__.startswith("transformers.models.")


@contextmanager
def fast_dropout(model: PreTrainedModel, stream: DropoutStream) -> Iterator[None]:
    """Let every dropout of the model, also in attention, draw from `stream` within the block.

    Only one model of a process can be in such a block at a time: transformers finds attention functions by name.

    Args:
        model: one for which `has_fast_dropout` is true, on the CPU.
        stream: source of the draws.
    """
    replaced = []
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Dropout):
                replaced.append((parent, name, child))
                setattr(parent, name, FastDropout(child.p, stream).train(child.training))
    before = model.config._attn_implementation
    AttentionInterface.register(ATTENTION, partial(attend, stream=stream))
    model.config._attn_implementation = ATTENTION
    try:
        yield
    finally:
        model.config._attn_implementation = before
        for parent, name, child in replaced:
            setattr(parent, name, child.train(parent.training))
