"""Looking at a model without changing it. Knows nothing about what is computed meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["evaluation_mode"]


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Evaluate inside: no dropout, no gradients. Afterwards, errors included, the model is as it was.

    Each module gets back its own mode (a frozen part may be in evaluation mode while the rest trains), and torch's
    generators on the CPU and on the model's CUDA devices their states, so that training goes on with the same dropout
    as if nobody had looked.

    Gradients are switched off by `no_grad` and not by inference mode, whose tensors, were one cached inside the model,
    could not take part in training afterwards.

    Args:
        model: any module; on any device.
    """
    modes = [(module, module.training) for module in model.modules()]
    tensors = [*model.parameters(), *model.buffers()]
    devices = sorted({tensor.device.index for tensor in tensors if tensor.device.type == "cuda"})
    with torch.random.fork_rng(devices=devices), torch.no_grad():
        model.eval()
        try:
            yield
        finally:
            for module, mode in modes:
                module.training = mode
