"""Floating-point operations of training."""

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode
from transformers import PreTrainedModel

from sleep_tune.models.evaluation_mode import evaluation_mode
from sleep_tune.models.sparse import sparse_forward

__all__ = ["FORWARD", "count_flops"]

FORWARD, FORWARD_AND_BACKWARD = 1.0, 3.0
"""Forward passes that count for one without, and with, its backward pass."""


def count_flops(
    model: PreTrainedModel, *, tokens: int, predicted: int, length: int, passes: float = FORWARD_AND_BACKWARD
) -> float:
    """Return the floating-point operations of training: 2 for each multiply-add; the backward pass counts as 2 forward.

    Counts the matrix products that the training forward computes for one row (projections, attention, feed-forward,
    head), by torch's counter, and scales them to all rows and predictions. Norms, activations and the optimizer are not
    counted. Attention counts as if every position saw every other.

    Args:
        model: of any architecture; it is left as it was.
        tokens: tokens that went through the trunk, padding included, >= 0.
        predicted: predictions that went through the head, >= 0.
        length: tokens in a row, T, >= 2.
        passes: forward passes that each row counts as.
    """
    device = next(model.parameters()).device
    row = torch.zeros(1, length, dtype=torch.int64, device=device)
    counts = []
    # The counter does not know all other kernels of attention.
    with evaluation_mode(model), sparse_forward(model), sdpa_kernel(SDPBackend.MATH):
        for number in (1, 2):
            with FlopCounterMode(display=False) as counter:
                model(row, None, positions=torch.arange(number, device=device), labels=row[0, :number])
            counts.append(counter.get_total_flops())
    one, two = map(float, counts)
    by_prediction = two - one
    by_row = one - by_prediction
    return passes * (tokens / length * by_row + predicted * by_prediction)
