"""Comparison of the names of weights in a model's folder with those of its model, before any weight is read.

transformers fills missing weights with random numbers and drops those that the model does not have. Here both are
refused.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.errors import DataError, listed
from sleep_tune.evaluation.library_errors import TRUST, one_sentence
from sleep_tune.evaluation.weight_files import require_floats

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["TRUNK", "find_prefix", "key_mapping"]

TRUNK = "AutoModel"
"""Class of `transformers` that opens a model without its head."""

Loader = Callable[..., Any]
"""`from_pretrained` of one folder; takes its remaining options."""

OTHER_OBJECTIVES = frozenset({"pooler", "seq_relationship", "sop_classifier"})
"""Parts that predict the next sentence, in BERT, RoBERTa and ALBERT. No token's probability depends on them."""

BUFFERS = re.compile(r"(^|\.)(position_ids|token_type_ids|inv_freq|masked_bias|attn\.bias|attention\.bias)$")
"""Positions and causal masks, which older versions of transformers saved and newer ones compute."""

STATES = ("model", "state_dict", "model_state_dict", "module")
"""Keys of the weights in the state that a training loop saves."""

WRAPPERS = {
    "_orig_mod": "torch.compile",
    "module": "DistributedDataParallel",
    "_fsdp_wrapped_module": "FullyShardedDataParallel",
    "_checkpoint_wrapped_module": "activation checkpointing",
}
"""Part of weights' names -> the wrapper that adds it."""

SHOWN, WIDTH = 3, 120
"""Number of names in a message, and of characters of each."""


@dataclass(frozen=True, slots=True)
class NameComparison:
    """Names of weights in the files and in the model."""

    model: "PreTrainedModel"
    """On torch's device `meta`, without weights."""
    missing: tuple[str, ...]
    """Weights of the model that the files lack."""
    unused: tuple[str, ...]
    """Weights in the files that the model does not have."""
    misshapen: tuple[tuple[str, Sequence[int], Sequence[int]], ...]
    """(name, shape in the files, shape in the model)."""
    recognised: tuple[str, ...]
    """Weights of the model that the files hold."""
    unplaced: tuple[str, ...]
    """All names in the files that the model does not have, including harmless ones."""

    @property
    def complete(self) -> bool:
        """Whether the files hold all weights of the model, in its shapes, and no others."""
        return not (self.missing or self.unused or self.misshapen)


def find_prefix(load: Loader, folder: Path, what: str, *, trunk: bool, hint: str = "", trust: str = TRUST) -> str:
    """Compare a folder's weights with its model, and return the prefix to remove from their names (usually empty).

    Args:
        load: opens the model of the folder.
        folder: the model's folder.
        what: what the folder must hold, for messages.
        trunk: only the trunk is opened, so a head in the files may be unused.
        hint: further advice, for messages.
        trust: the user's option that runs the Python files in the folder, for messages.

    Raises:
        DataError: a weight is missing, unused or of another shape, and no prefix explains all of it; or a weight is
            quantised. The message names some weights and the likely cause.
    """
    import torch

    def compare(prefix: str = "") -> NameComparison:
        with torch.random.fork_rng(devices=[]), one_sentence(folder, what, trust):
            model, info = load(
                device_map="meta",
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                key_mapping=key_mapping(prefix),
            )
        return _comparison(model, info, trunk)

    found = compare()
    prefix = ""
    if not found.complete and not found.recognised:
        prefix = next((one for one in _prefixes(found.unplaced) if compare(one).complete), "")
    if not found.complete and not prefix:
        raise DataError(_refusal(folder, found) + hint)
    require_floats(folder, found.model, prefix)
    return prefix


def key_mapping(prefix: str) -> dict[str, str] | None:
    """Return the option `key_mapping` of `from_pretrained` that removes a prefix; None for an empty prefix."""
    return {f"^{re.escape(prefix)}": ""} if prefix else None


def _comparison(model: "PreTrainedModel", info: Mapping[str, Any], trunk: bool) -> NameComparison:
    """Sort the names in the `loading_info` of transformers into errors and harmless differences."""
    absent = set(info["missing_keys"])
    weights = dict(model.named_parameters(remove_duplicate=False))
    held = {id(weight) for name, weight in weights.items() if name not in absent}
    # A weight that is tied to one in the files is not missing, even if transformers lists it as missing.
    missing = {name for name in absent if name not in weights or id(weights[name]) not in held}
    if trunk:
        missing = {name for name in missing if not OTHER_OBJECTIVES.intersection(name.split("."))}
    own = {model.base_model_prefix, *(name for name, _ in model.named_children())}
    unused = [
        name
        for name in info["unexpected_keys"]
        if not (OTHER_OBJECTIVES.intersection(name.split(".")) or BUFFERS.search(name))
        and (not trunk or name.split(".")[0] in own)
    ]
    return NameComparison(
        model,
        tuple(sorted(missing)),
        tuple(sorted(unused)),
        tuple(sorted((name, tuple(held), tuple(wanted)) for name, held, wanted in info["mismatched_keys"])),
        tuple(name for name in model.state_dict() if name not in absent),
        tuple(info["unexpected_keys"]),
    )


def _prefixes(names: Sequence[str]) -> Iterator[str]:
    """Yield the prefixes, each up to a full stop, that all names share, the shortest first."""
    shared = ""
    for part, *others in zip(*(name.split(".")[:-1] for name in names), strict=False):
        if any(other != part for other in others):
            return
        shared += f"{part}."
        yield shared


def _refusal(folder: Path, found: NameComparison) -> str:
    """Return what is wrong and the likely cause, in one sentence."""
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


def _cause(found: NameComparison) -> str:
    """Return the likely cause, and what to do."""
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


def _lacks_tie(found: NameComparison) -> bool:
    """Return whether all missing weights belong to the output embedding."""
    model: Any = found.model
    head = model.get_output_embeddings()
    if head is None:
        return False
    weights = dict(model.named_parameters(remove_duplicate=False))
    missing = {id(weights.get(name)) for name in found.missing}
    return id(head.weight) in missing and missing <= {id(weight) for weight in head.parameters()}


def _pattern(name: str, base: str) -> str:
    """Return a weight's name without the name of the trunk, and with * for the numbers of layers."""
    return re.sub(r"(?<=\.)\d+(?=\.)", "*", name.removeprefix(base))
