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
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedModel
from transformers.masking_utils import sdpa_mask

from sleep_tune.sleep.randomness import Purpose, generator

__all__ = ["ATTENTION", "DropoutStream", "FastDropout", "TorchStream", "fast_dropout"]

ATTENTION = "sleep_tune_cpu"
"""Name under which this module's attention function is registered in transformers."""

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

    def kept(self, shape: tuple[int, ...], probability: float) -> torch.Tensor:
        """Return a float32 tensor of `shape`: 0 where an element is dropped, else 1 / (1 - q).

        Args:
            shape: of the values.
            probability: q before rounding, in [0, 1).
        """
        dropped = round(probability * LEVELS)
        size = int(np.prod(shape))
        words = self._bits.integers(0, 2**64, size=-(-size // 4), dtype=np.uint64)
        bits: NDArray[np.uint16] = words.view(np.uint16)[:size]
        scale = np.float32(LEVELS / (LEVELS - dropped))
        return torch.from_numpy(np.multiply(bits >= dropped, scale, dtype=np.float32).reshape(shape))


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
        return values * self.stream.kept(tuple(values.shape), self.p).to(values.dtype)


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    *,
    stream: DropoutStream,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Compute scaled dot-product attention: torch's own without dropout, else with dropout from `stream`.

    Args:
        module: the attention module; without a mask, its `is_causal` says whether a position sees only those up to it.
        query: (B, heads, T, width).
        key: (B, heads, T, width).
        value: (B, heads, T, width).
        attention_mask: (B, 1, T, T) boolean, True where attention is allowed; None for everywhere, or, if the module
            is causal, for everything up to a position.
        dropout: probability that an attention weight is dropped; 0 outside training.
        scaling: factor on the products (default: 1 / sqrt(width)).
        stream: source of the draws.

    Returns:
        (B, T, heads, width), and no weights.
    """
    is_causal = attention_mask is None and bool(getattr(module, "is_causal", False))
    if not dropout:
        output = nn.functional.scaled_dot_product_attention(
            query, key, value, attention_mask, is_causal=is_causal, scale=scaling
        )
        return output.transpose(1, 2).contiguous(), None
    scaling = query.size(-1) ** -0.5 if scaling is None else scaling
    weights = torch.matmul(query * scaling, key.transpose(2, 3))
    if is_causal:
        attention_mask = torch.ones(weights.shape[-2:], dtype=torch.bool, device=weights.device).tril()
    if attention_mask is not None:
        weights = weights.masked_fill(~attention_mask, torch.finfo(weights.dtype).min)
    weights = nn.functional.softmax(weights, dim=-1)
    weights = weights * stream.kept(tuple(weights.shape), dropout).to(weights.dtype)
    return torch.matmul(weights, value).transpose(1, 2).contiguous(), None


AttentionMaskInterface.register(ATTENTION, sdpa_mask)


@contextmanager
def fast_dropout(model: PreTrainedModel, stream: DropoutStream) -> Iterator[None]:
    """Let every dropout of the model, also in attention, draw from `stream` within the block."""
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
