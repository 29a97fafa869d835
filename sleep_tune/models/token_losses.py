"""Cross-entropy of tokens, from the states that the output embedding multiplies."""

import torch
from torch.nn import functional

__all__ = ["linear_cross_entropy"]


def linear_cross_entropy(
    states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy of each label, and the sum, which alone has a gradient.

    Args:
        states: (M, H) before the output embedding.
        weight: (V, H) of the output embedding.
        bias: (V,), or None.
        labels: (M,) int64 tokens.

    Returns:
        The sum, a float32 scalar, and (M,) float32 losses in nats, detached.
    """
    logits = functional.linear(states, weight, bias).float()
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return losses.sum(), losses.detach()
