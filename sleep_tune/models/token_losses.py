"""Cross-entropy of tokens, from the states that the output embedding multiplies.

The logits of all positions never exist at once: they are computed for a chunk of positions at a time. The gradient of a
chunk's losses is computed from its logits at once, in the forward pass, so that the backward pass neither keeps the
logits nor computes them a second time. This is possible because the sum of the losses is a scalar: the backward pass
only scales the gradients. As in Cut Cross-Entropy (Wijmans et al. 2024, arXiv 2411.09009) and the Liger Kernel (Hsu et
al. 2024, arXiv 2410.10989), with plain torch operations.

Suffixes of tensor names: M positions, H hidden width, V vocabulary, C positions of one chunk.
"""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

__all__ = ["linear_cross_entropy"]

CHUNK_LOGITS = {"cpu": 2**23}
"""Type of device -> logits of a chunk. On a CPU, 32 MB in float32: the time is least from 2**22 to 2**24 with 8,192 and
50,257 tokens. Smaller chunks add to the weight's gradient too often; larger ones leave the cache."""
CHUNK_LOGITS_OF_OTHERS = 2**26
"""Logits of a chunk on other devices: 256 MB in float32, and over 1,000 rows, which keep a GPU's matrix units busy."""


def linear_cross_entropy(
    states: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, labels: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the cross-entropy of each label, and the sum, which alone has a gradient.

    Under autocast, matrices are multiplied in its type and everything else is computed in float32. The gradient of the
    weight is summed over chunks in the weight's own type. Nothing is read back from the device.

    Args:
        states: (M, H) before the output embedding.
        weight: (V, H) of the output embedding.
        bias: (V,), or None.
        labels: (M,) int64 tokens.

    Returns:
        The sum, a float32 scalar, and (M,) float32 losses in nats, detached. Both are float64 for float64 states.
    """
    device = states.device.type
    is_mixed = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    dtype = torch.get_autocast_dtype(device) if is_mixed else states.dtype
    wanted = [
        torch.is_grad_enabled() and tensor is not None and tensor.requires_grad for tensor in (states, weight, bias)
    ]
    total, losses_M = LinearCrossEntropy.apply(states, weight, bias, labels, dtype, *wanted)  # type: ignore[no-untyped-call]
    return total, losses_M


class LinearCrossEntropy(torch.autograd.Function):
    """Sum of the losses, and the losses; see `losses_and_gradients` for the arguments."""

    @staticmethod
    def forward(
        ctx: Any,
        states_MH: torch.Tensor,
        weight_VH: torch.Tensor,
        bias_V: torch.Tensor | None,
        labels_M: torch.Tensor,
        dtype: torch.dtype,
        *wanted: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the losses, and the gradients of their sum that are wanted."""
        losses_M, *gradients = losses_and_gradients(states_MH, weight_VH, bias_V, labels_M, dtype, *wanted)
        ctx.gradients = [gradient if want else None for gradient, want in zip(gradients, wanted, strict=True)]
        ctx.mark_non_differentiable(losses_M)
        return losses_M.sum(), losses_M

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, scale: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Scale the gradients by that of the sum, in place: that of the weight is large.

        Raises:
            RuntimeError: a second backward pass, with `retain_graph`.
        """
        gradients, ctx.gradients = ctx.gradients, None
        if gradients is None:
            raise RuntimeError("the gradients of these losses were used in another backward pass: compute them again")
        return (*[gradient if gradient is None else gradient.mul_(scale) for gradient in gradients], *[None] * 5)


def losses_and_gradients(
    states_MH: torch.Tensor,
    weight_VH: torch.Tensor,
    bias_V: torch.Tensor | None,
    labels_M: torch.Tensor,
    dtype: torch.dtype,
    of_states: bool,
    of_weight: bool,
    of_bias: bool,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the losses and the gradients of their sum, computed chunk by chunk.

    Args:
        states_MH: before the output embedding.
        weight_VH: of the output embedding.
        bias_V: of the output embedding.
        labels_M: int64 tokens.
        dtype: in which matrices are multiplied.
        of_states: whether the gradient of the states is wanted.
        of_weight: whether that of the weight is.
        of_bias: whether that of the bias is.

    Returns:
        (M,) losses, and gradients like states, weight and bias; (0,) for one that is not wanted.
    """
    precise = torch.promote_types(dtype, torch.float32)
    losses_M = labels_M.new_empty(labels_M.shape, dtype=precise)
    to_states_MH, to_weight_VH, to_bias_V = _empty_gradients(states_MH, weight_VH, of_states, of_weight, of_bias)
    to_weight_VH.zero_()
    to_bias_V.zero_()
    matrix_VH = weight_VH.to(dtype)
    size = max(1, CHUNK_LOGITS.get(states_MH.device.type, CHUNK_LOGITS_OF_OTHERS) // len(weight_VH))
    for start in range(0, len(states_MH), size):
        chunk = slice(start, start + size)
        states_CH, labels_C1 = states_MH[chunk].to(dtype), labels_M[chunk, None]
        logits_CV = torch.mm(states_CH, matrix_VH.t()).to(precise)
        if bias_V is not None:
            logits_CV += bias_V
        logits_CV -= logits_CV.amax(1, keepdim=True)
        right_C1 = logits_CV.gather(1, labels_C1)
        sums_C1 = logits_CV.exp_().sum(1, keepdim=True)
        losses_M[chunk] = (sums_C1.log() - right_C1)[:, 0]
        if not (of_states or of_weight or of_bias):
            continue
        probabilities_CV = logits_CV.div_(sums_C1)
        gradient_CV = probabilities_CV.scatter_add_(1, labels_C1, torch.full_like(right_C1, -1)).to(dtype)
        if of_states:
            to_states_MH[chunk] = torch.mm(gradient_CV, matrix_VH)
        if of_weight and weight_VH.dtype == dtype:
            to_weight_VH.addmm_(gradient_CV.t(), states_CH)
        elif of_weight:
            to_weight_VH += torch.mm(gradient_CV.t(), states_CH)
        if of_bias:
            to_bias_V += gradient_CV.sum(0)
        del logits_CV, probabilities_CV, gradient_CV  # before the next chunk is made
    return losses_M, to_states_MH, to_weight_VH, to_bias_V


def _empty_gradients(
    states_MH: torch.Tensor, weight_VH: torch.Tensor, of_states: bool, of_weight: bool, of_bias: bool
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return uninitialised gradients of states, weight and bias; (0,) for one that is not wanted."""
    return (
        states_MH.new_empty(states_MH.shape if of_states else (0,)),
        weight_VH.new_empty(weight_VH.shape if of_weight else (0,)),
        weight_VH.new_empty(weight_VH.shape[:1] if of_bias else (0,)),
    )
