"""Floating-point operations of training."""

from transformers import PretrainedConfig

__all__ = ["count_flops"]

CAUSAL = ("gpt2", "llama")
"""Types whose head is the output embedding alone, and whose last layer is computed at every position."""


def count_flops(config: PretrainedConfig, *, tokens: int, predicted: int, length: int) -> float:
    """Return the floating-point operations of training: 2 for each multiply-add; the backward pass counts as 2 forward.

    Counts the matrix products of a sparse forward (projections, attention, feed-forward, head), not norms, activations
    and the optimizer.

    Args:
        config: the model's configuration.
        tokens: tokens that went through the trunk, padding included, >= 0.
        predicted: positions that went through the head, >= 0.
        length: tokens in a row, T, >= 1.
    """
    width, depth = int(config.hidden_size), int(config.num_hidden_layers)
    mixing = 2 * 3 * width**2 + 4 * length * width
    inner = config.n_inner if config.model_type == "gpt2" else config.intermediate_size
    thinking = 2 * width**2 + (6 if config.model_type == "llama" else 4) * width * int(inner)
    head = 2 * width * int(config.vocab_size)
    if config.model_type in CAUSAL:
        return 3.0 * (tokens * depth * (mixing + thinking) + predicted * head)
    head += 2 * width**2
    forward = tokens * (depth * mixing + (depth - 1) * thinking) + predicted * (thinking + head)
    return 3.0 * forward
