"""Attention masks of training batches, in the forms that architectures read.

A mask with a row for each query, (R, 1, T, T), is passed on by transformers as it is. From one with a row for each
text, (R, T), transformers makes its own, for which it reads a value back from the device.
"""

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["MaskMaker", "row_mask", "square_mask"]

MaskMaker = Callable[[torch.Tensor, bool], Any]
"""Function of (R, T) bool, False at padding, and whether a position sees only those up to it -> attention mask."""


def square_mask(attended: torch.Tensor, causal: bool) -> torch.Tensor:
    """Return (R, 1, T, T) bool: True where the query may attend to the key.

    Args:
        attended: (R, T) bool, False at padding.
        causal: whether a query sees only keys up to its own position.
    """
    rows, length = attended.shape
    keys = attended[:, None, None, :].expand(rows, 1, length, length)
    if not causal:
        return keys
    seen = torch.ones(length, length, dtype=torch.bool, device=attended.device).tril()
    return keys & seen


def row_mask(attended: torch.Tensor, causal: bool) -> torch.Tensor:
    """Return (R, T) int64, 0 at padding, for models that make their own mask, causal or not.

    Args:
        attended: (R, T) bool, False at padding.
        causal: unused; the model decides.
    """
    return attended.long()
