"""The files of a model's weights, and the numbers in them: one set of files, floating-point, finite, trained."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.errors import DataError, listed, shortened
from sleep_tune.files import read_safetensors_header

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["require_floats", "require_one_set", "require_sound"]

WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""(whole file, index of several files), in the order in which transformers looks for them."""

SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".safetensors", ".h5", ".msgpack", ".onnx", ".gguf")
"""Endings of files with weights, for messages."""

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Types in safetensors files that hold the weights themselves, not integers that have to be scaled."""

SHOWN, WIDTH = 3, 120
"""Number of names in a message, and of characters of each."""


def require_one_set(folder: Path) -> str:
    """Refuse a folder in which it is unclear which files hold the weights.

    Returns:
        A warning that says which of two formats is read; empty if the folder holds only one.

    Raises:
        DataError: there are no weights; or there is a whole file beside the index of several files, which another
            model left.
    """
    held = [[name for name in names if (folder / name).is_file()] for names in WEIGHTS]
    read, *others = [names for names in held if names] or [[]]
    if not read:
        there = sorted(path.name for path in folder.iterdir() if path.suffix in SUFFIXES)
        found = f"only {listed(there, SHOWN, width=WIDTH)}" if there else "no weights"
        raise DataError(
            f"{folder} must hold its weights as {' or '.join(whole for whole, _ in WEIGHTS)}; it has {found}: save the "
            "model with save_pretrained"
        )
    if len(read) > 1:
        raise DataError(
            f"{folder} must hold the weights of one model; it holds two sets, {read[0]} and the files of {read[1]}: "
            "remove the wrong one"
        )
    if others:
        return f"{folder} holds two sets of weights, of which {read[0]} was read and {others[0][0]} was not"
    return ""


def require_floats(folder: Path, model: "PreTrainedModel", prefix: str) -> None:
    """Refuse weights of integers or of eight bits: they would be read without the scales that belong to them.

    Args:
        folder: the model's.
        model: without weights is enough; one that transformers itself quantises is accepted.
        prefix: removed from the names in the files.

    Raises:
        DataError: names the file, the weight and its type.
    """
    if getattr(model, "hf_quantizer", None) is not None:
        return
    base = f"{model.base_model_prefix}."
    weights = {name.removeprefix(base) for name, _ in model.named_parameters(remove_duplicate=False)}
    for path in _safetensors(folder):
        for name, about in read_safetensors_header(path).items():
            if name.removeprefix(prefix).removeprefix(base) in weights and about["dtype"] not in FLOATS:
                raise DataError(
                    f"{path} must hold weights as floating-point numbers of 16 bits or more; {shortened(name, 120)} is "
                    f"{about['dtype']}, a quantised weight: save the model before it is quantised"
                )


def _safetensors(folder: Path) -> list[Path]:
    """Return the safetensors files of a folder's weights; none if they are a pytorch_model.bin."""
    whole, index = (folder / name for name in WEIGHTS[0])
    if whole.is_file() or not index.is_file():
        return [whole] if whole.is_file() else []
    return [folder / name for name in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]


def require_sound(model: "PreTrainedModel", folder: Path) -> None:
    """Refuse weights that are not finite, an embedding of zeros, and tied weights that differ.

    Raises:
        DataError: names the weight.
    """
    import torch

    for name, weight in model.named_parameters():
        # If the sum is finite all weights are; it may overflow although they are.
        if not torch.isfinite(weight.detach().sum()) and not torch.isfinite(weight).all():
            raise DataError(
                f"{folder} must hold weights that are finite numbers; {int((~torch.isfinite(weight)).sum()):,} of "
                f"{weight.numel():,} in {name} are not: the training diverged before the model was saved"
            )
    embedding: Any = model.get_input_embeddings()
    if not torch.any(embedding.weight):
        raise DataError(
            f"{folder} must hold a trained model; every weight of its embedding is 0: a sharded model may have been "
            "saved before its weights were gathered"
        )
    weights = dict(model.named_parameters(remove_duplicate=False))
    for one, other in model.get_expanded_tied_weights_keys(all_submodels=True).items():
        # transformers ties weights that are equal. It leaves different ones apart, but older versions drop one of them.
        if one in weights and other in weights and not torch.equal(weights[one], weights[other]):
            raise DataError(
                f"{folder} must hold one weight as {one} and {other}, which config.json ties; its files hold two "
                "different ones: set tie_word_embeddings to false if the model was trained with two, or remove the "
                "one that was not trained"
            )
