"""Parameters that weight decay acts on."""

import re

import torch

__all__ = ["names_to_decay"]

NORMS = (torch.nn.LayerNorm, torch.nn.RMSNorm, torch.nn.GroupNorm, torch.nn.modules.batchnorm._NormBase)
"""Torch's normalisation modules; the last is the base class of its batch and instance norms."""
NORM_CLASS = re.compile(r"Norm(Gated|[1-3]d)?$")
"""Class names of the normalisation modules of transformers, such as LlamaRMSNorm: they have no common base class."""


def names_to_decay(model: torch.nn.Module) -> list[str]:
    """Return the names of the parameters that weight decay acts on: all but biases and those of norms.

    The type of the module and the parameter's own name decide. The path to the module does not: it may contain words
    such as `roberta_prelayernorm`.

    Args:
        model: any model; a tied parameter is returned once for each module that has it.
    """
    return [
        name
        for path, module in model.named_modules()
        if not _is_norm(module)
        for name, _ in module.named_parameters(prefix=path, recurse=False)
        if not name.endswith("bias")
    ]


def _is_norm(module: torch.nn.Module) -> bool:
    """Return whether a module normalises and has no submodules, as one that also projects would."""
    is_norm = isinstance(module, NORMS) or NORM_CLASS.search(type(module).__name__) is not None
    return is_norm and next(module.children(), None) is None
