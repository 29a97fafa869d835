"""Evaluation of a model in the middle of its training, without any effect on the training."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

__all__ = ["evaluation_mode"]


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switch dropout and gradients off inside, and restore everything afterwards, also after an error.

    Each module gets its own mode back (a frozen part may be in evaluation mode during training), and torch's random
    generators on the CPU and the model's CUDA devices get their states back, so training continues with the same
    dropout as without the evaluation.

    Gradients are switched off by `no_grad`: a tensor of inference mode that the model caches could not be used in
    training afterwards.

    Args:
        model: any module, on any device.
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
