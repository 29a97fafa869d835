"""Attention masks of training batches, in the forms that architectures read.

A mask with a row for each query, (R, 1, T, T), is passed on by transformers as it is. From one with a row for each
text, (R, T), transformers makes its own, for which it reads a value back from the device.
"""

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["WINDOW", "MaskMaker", "row_mask", "square_mask", "window_masks"]

WINDOW = 64
"""Tokens on either side that ModernBERT's sliding windows hold."""

MaskMaker = Callable[[torch.Tensor, bool], Any]
"""Function of (R, T) bool, False at padding, and whether a position sees only those up to it -> attention mask."""


def square_mask(attended: torch.Tensor, causal: bool) -> torch.Tensor:
    """Return (R, 1, T, T) bool: True where the query may attend to the key.

    The tensor is contiguous, causal or not: compiled code depends on strides.

    Args:
        attended: (R, T) bool, False at padding.
        causal: whether a query sees only keys up to its own position.
    """
    rows, length = attended.shape
    keys = attended[:, None, None, :].expand(rows, 1, length, length)
    if causal:
        keys = keys & torch.ones(length, length, dtype=torch.bool, device=attended.device).tril()
    return keys.contiguous()


def row_mask(attended: torch.Tensor, causal: bool) -> torch.Tensor:
    """Return (R, T) int64, 0 at padding, for models that make their own mask, causal or not.

    Args:
        attended: (R, T) bool, False at padding.
        causal: unused; the model decides.
    """
    return attended.long()


def window_masks(attended: torch.Tensor, causal: bool) -> dict[str, torch.Tensor]:
    """Return the masks of ModernBERT's two kinds of layers, each (R, 1, T, T) bool; one mask would replace its windows.

    Args:
        attended: (R, T) bool, False at padding.
        causal: whether a query sees only keys up to its own position.
    """
    whole = square_mask(attended, causal)
    places = torch.arange(attended.shape[1], device=attended.device)
    near = (places[:, None] - places[None, :]).abs() <= WINDOW
    return {"full_attention": whole, "sliding_attention": whole & near}
