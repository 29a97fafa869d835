"""Whether the weights in a model's folder are the weights of its model, compared by name before any is read.

transformers fills missing weights with random numbers and drops those that it has no place for. Here both are refused.
Knows no tokenizers and no tasks.
"""

import json
import logging
import pickle
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.errors import DataError, listed, shortened

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["TRUNK", "opening", "placed", "renaming", "require_one_set", "require_sound"]

TRUNK = "AutoModel"
"""The class of `transformers` that opens a model without its head."""

Loader = Callable[..., Any]
"""`from_pretrained` of one folder, which takes the remaining options."""

OTHER_OBJECTIVES = frozenset({"pooler", "seq_relationship", "sop_classifier"})
"""Parts for predicting the next sentence, as in BERT, RoBERTa and ALBERT. No token's probability depends on them."""

BUFFERS = re.compile(r"(^|\.)(position_ids|token_type_ids|inv_freq|masked_bias|attn\.bias|attention\.bias)$")
"""Positions and causal masks, which older versions of transformers saved and newer ones compute."""

WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json"),
)
"""(whole file, index of several files), in the order in which transformers looks for them."""

SUFFIXES = (".ckpt", ".pt", ".pth", ".bin", ".safetensors", ".h5", ".msgpack", ".onnx", ".gguf")
"""How the names of files with weights end, for messages."""

STATES = ("model", "state_dict", "model_state_dict", "module")
"""Under which the weights are in the state that a training loop saves."""

WRAPPERS = {
    "_orig_mod": "torch.compile",
    "module": "DistributedDataParallel",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module": "activation checkpointing",
}
"""A part of weights' names -> what adds it."""

FLOATS = frozenset({"F64", "F32", "F16", "BF16"})
"""Types of weights in safetensors files that hold the weights themselves, and not numbers to be scaled."""

SHOWN, WIDTH = 3, 120
"""Names in a message, and characters of each, at most."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The names in the files against the names in the model."""

    model: "PreTrainedModel"
    """Without weights, on torch's device `meta`."""
    missing: tuple[str, ...]
    """Weights of the model that the files lack."""
    unused: tuple[str, ...]
    """Weights in the files that the model has no place for."""
    misshapen: tuple[tuple[str, Sequence[int], Sequence[int]], ...]
    """(name, shape in the files, shape in the model)."""
    recognised: tuple[str, ...]
    """Weights of the model that the files hold."""
    unplaced: tuple[str, ...]
    """All names in the files that the model does not have, the harmless ones too."""

    @property
    def whole(self) -> bool:
        """Whether every weight is in its place."""
        return not (self.missing or self.unused or self.misshapen)


def require_one_set(folder: Path) -> str:
    """Refuse a folder of which it is not clear which files hold the weights.

    Returns:
        What the reader of a result must know: which of two formats was read; empty where there are not two.

    Raises:
        DataError: there are none, or beside a whole file there is the index of several ones, which an earlier or a
            later model left.
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
            "remove the one that was not meant"
        )
    if others:
        return f"{folder} holds two sets of weights, of which {read[0]} was read and {others[0][0]} was not"
    return ""


def placed(load: Loader, folder: Path, what: str, *, trunk: bool, hint: str = "") -> str:
    """Return the prefix that has to be removed from the names of a folder's weights, nearly always an empty one.

    Args:
        load: opens the folder's model.
        folder: the model's.
        what: the folder must hold, for messages.
        trunk: only the trunk is opened, so that a head in the files is legitimately unused.
        hint: what else may help, for messages.

    Raises:
        DataError: a weight is missing, unused or of another shape, and no prefix explains all of it; the message names
            some of each, and the likely cause.
    """
    import torch

    def compare(prefix: str = "") -> Comparison:
        with torch.random.fork_rng(devices=[]), opening(folder, what):
            model, told = load(
                device_map="meta",
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                key_mapping=renaming(prefix),
            )
        return _comparison(model, told, trunk)

    found = compare()
    prefix = ""
    if not found.whole and not found.recognised:
        prefix = next((one for one in _prefixes(found.unplaced) if compare(one).whole), "")
    if not found.whole and not prefix:
        raise DataError(_refusal(folder, found) + hint)
    _require_floats(folder, found.model, prefix)
    return prefix


def renaming(prefix: str) -> dict[str, str] | None:
    """The option `key_mapping` of `from_pretrained` that removes a prefix, if there is one."""
    return {f"^{re.escape(prefix)}": ""} if prefix else None


def _comparison(model: "PreTrainedModel", told: Mapping[str, Any], trunk: bool) -> Comparison:
    """Sort what transformers tells of the weights' names into what is wrong and what is not."""
    absent = set(told["missing_keys"])
    weights = dict(model.named_parameters(remove_duplicate=False))
    held = {id(weight) for name, weight in weights.items() if name not in absent}
    # A weight that is tied to one in the files is not missing, even where transformers does not know that it is tied.
    missing = {name for name in absent if name not in weights or id(weights[name]) not in held}
    if trunk:
        missing = {name for name in missing if not OTHER_OBJECTIVES.intersection(name.split("."))}
    own = {model.base_model_prefix, *(name for name, _ in model.named_children())}
    unused = [
        name
        for name in told["unexpected_keys"]
        if not (OTHER_OBJECTIVES.intersection(name.split(".")) or BUFFERS.search(name))
        and (not trunk or name.split(".")[0] in own)
    ]
    return Comparison(
        model,
        tuple(sorted(missing)),
        tuple(sorted(unused)),
        tuple(sorted((name, tuple(held), tuple(wanted)) for name, held, wanted in told["mismatched_keys"])),
        tuple(name for name in model.state_dict() if name not in absent),
        tuple(told["unexpected_keys"]),
    )


def _prefixes(names: Sequence[str]) -> Iterator[str]:
    """The prefixes, each up to a full stop, that all names share; the shortest first."""
    shared = ""
    for part, *others in zip(*(name.split(".")[:-1] for name in names), strict=False):
        if any(other != part for other in others):
            return
        shared += f"{part}."
        yield shared


def _refusal(folder: Path, found: Comparison) -> str:
    """What is wrong and why it is likely so, in one sentence."""
    wrong = []
    if found.missing:
        wrong.append(f"{_listed(found.missing)} missing")
    if found.unused:
        wrong.append(f"{_listed(found.unused)} unused")
    if found.misshapen:
        name, held, wanted = found.misshapen[0]
        more = f", and {len(found.misshapen) - 1} more" if len(found.misshapen) > 1 else ""
        wrong.append(f"{name} has the shape {list(held)} where config.json asks for {list(wanted)}{more}")
    return (
        f"{folder} must hold every weight of its model ({type(found.model).__name__}) and no other: "
        f"{'; '.join(wrong)}; {_cause(found)}"
    )


def _listed(names: Sequence[str]) -> str:
    return f"{listed(names, SHOWN, width=WIDTH)} {'is' if len(names) == 1 else 'are'}"


def _cause(found: Comparison) -> str:
    """The likely cause, and what to do."""
    base = f"{found.model.base_model_prefix}."
    patterns = {_pattern(name, base) for name in found.recognised}
    state = next((name for name in STATES if name in found.unplaced), None)
    wrapper = next((name for name in WRAPPERS if any(name in key.split(".") for key in found.unplaced)), None)
    if found.misshapen:
        return "config.json describes another size of model: it was not saved together with these weights"
    if state is not None and found.missing:
        return (
            f"the file holds the state of a training loop, with the weights under '{state}': load them into the model "
            "and save it with save_pretrained"
        )
    if wrapper is not None and found.missing:
        return (
            f"a part '{wrapper}' of the names in the files is added by {WRAPPERS[wrapper]}: save the model inside it "
            "with save_pretrained"
        )
    if not found.recognised:
        return "they are of another architecture than config.json, or were saved from inside another module"
    if found.missing and not found.unused:
        if _lacks_tie(found):
            return (
                "config.json does not tie the output embedding to the input embedding (tie_word_embeddings), but the "
                "files hold only one of them: correct it if the model was trained with one"
            )
        if {_pattern(name, base) for name in found.missing} <= patterns:
            return "config.json describes more layers than the files hold"
        if not any(name.startswith(base) for name in found.missing):
            return "the files lack the prediction head, as those that AutoModel saves do: save the whole model"
    if found.unused and not found.missing:
        if {_pattern(name, base) for name in found.unused} <= patterns:
            return "config.json describes fewer layers than the files hold"
        return (
            "without these parts the model may give other answers than when it was trained: if it does not need them, "
            "save it without them"
        )
    return "config.json and the files are of different models"


def _lacks_tie(found: Comparison) -> bool:
    """Whether all that is missing belongs to the output embedding."""
    model: Any = found.model
    head = model.get_output_embeddings()
    if head is None:
        return False
    weights = dict(model.named_parameters(remove_duplicate=False))
    missing = {id(weights.get(name)) for name in found.missing}
    return id(head.weight) in missing and missing <= {id(weight) for weight in head.parameters()}


def _pattern(name: str, base: str) -> str:
    """A weight's name without the name of the trunk and the numbers of layers."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name.removeprefix(base))


def _require_floats(folder: Path, model: "PreTrainedModel", prefix: str) -> None:
    """Refuse weights that are whole numbers or eight bits wide: without their scales they are read as they are."""
    if getattr(model, "hf_quantizer", None) is not None:
        return
    base = f"{model.base_model_prefix}."
    weights = {name.removeprefix(base) for name, _ in model.named_parameters(remove_duplicate=False)}
    for path in _safetensors(folder):
        for name, about in _header(path).items():
            if name.removeprefix(prefix).removeprefix(base) in weights and about["dtype"] not in FLOATS:
                raise DataError(
                    f"{path} must hold weights as floating-point numbers of 16 bits or more; {shortened(name, 120)} is "
                    f"{about['dtype']}, a quantised weight: save the model before it is quantised"
                )


def _safetensors(folder: Path) -> list[Path]:
    """The files that transformers has taken the names of the weights from; none where it is a pytorch_model.bin."""
    whole, index = (folder / name for name in WEIGHTS[0])
    if whole.is_file() or not index.is_file():
        return [whole] if whole.is_file() else []
    return [folder / name for name in sorted(set(json.loads(index.read_bytes())["weight_map"].values()))]


def _header(path: Path) -> Mapping[str, Any]:
    """Name -> type and shape, of a safetensors file that transformers has opened before."""
    with path.open("rb") as file:
        header: dict[str, Any] = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return {name: about for name, about in header.items() if name != "__metadata__"}


def require_sound(model: "PreTrainedModel", folder: Path) -> None:
    """Refuse weights that are no finite numbers, an embedding that is zero throughout, and tied weights that differ.

    Raises:
        DataError: names the weight.
    """
    import torch

    for name, weight in model.named_parameters():
        # The sum is finite where all are, unless it overflows.
        if not torch.isfinite(weight.detach().sum()) and not torch.isfinite(weight).all():
            raise DataError(
                f"{folder} must hold weights that are finite numbers; {int((~torch.isfinite(weight)).sum()):,} of "
                f"{weight.numel():,} in {name} are not: the training diverged before the model was saved"
            )
    embedding: Any = model.get_input_embeddings()
    if not torch.any(embedding.weight):
        raise DataError(
            f"{folder} must hold a trained model; every weight of its embedding is 0, as where a sharded model is "
            "saved before its weights are gathered"
        )
    weights = dict(model.named_parameters(remove_duplicate=False))
    for one, other in model.get_expanded_tied_weights_keys(all_submodels=True).items():
        # transformers ties what is equal. What differs it leaves apart, but older versions drop one of the two.
        if one in weights and other in weights and not torch.equal(weights[one], weights[other]):
            raise DataError(
                f"{folder} must hold one weight as {one} and {other}, which config.json ties; its files hold two "
                "different ones: set tie_word_embeddings to false if the model was trained with two, or remove the "
                "one that was not trained"
            )


@contextmanager
def opening(folder: Path, what: str) -> Iterator[None]:
    """Turn what transformers raises for a folder that it cannot open into one sentence.

    The report that some of its errors point to, which it logs and does not raise, is part of the sentence. Only calls
    of transformers belong in here: it raises errors of any class for a broken folder.

    Raises:
        DataError: names the folder and what transformers says.
    """
    logger = logging.getLogger("transformers")
    heard = _Heard()
    handlers, level = logger.handlers, logger.level
    logger.handlers = [heard]
    logger.setLevel(logging.WARNING)
    try:
        yield
    except Exception as error:
        raise DataError(f"{folder} must hold {what}: {_told(error)}{_report(error, heard.lines)}") from error
    finally:
        logger.handlers = handlers
        logger.setLevel(level)


class _Heard(logging.Handler):
    """Keeps the lines that are logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a message's lines, without colours."""
        self.lines += re.sub(r"\x1b\[\d+m", "", record.getMessage()).splitlines()


PLAIN_ERRORS = (OSError, ValueError, RuntimeError, ImportError)
"""Errors whose message is a sentence; of others the class is named too."""


def _told(error: Exception) -> str:
    """What a library says is wrong, without the lists of all that would be right."""
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are damaged, or hold Python objects, which could run code: save them as safetensors"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    told = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    if not isinstance(error, PLAIN_ERRORS) and "error" not in told.lower():
        told = f"{type(error).__name__}: {told}"
    return told + (" (--trust-remote-code runs it)" if "trust_remote_code" in str(error) else "")


def _report(error: Exception, heard: Collection[str]) -> str:
    """The rows of transformers' report on the weights, where the error points to it."""
    if "report" not in str(error):
        return ""
    rows = [" ".join(line.replace("|", " ").split()) for line in heard if re.search(r"\| [A-Z]{4,} +\|", line)]
    why = [line.strip() for line in heard if re.match(r"\w*(Error|Exception)\b.*: ", line.strip())]
    return f" ({'; '.join(shortened(row, 160) for row in [*rows[:SHOWN], *why[:1]])})"
