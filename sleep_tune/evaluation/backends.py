"""The ways of reading a probability off a language model, and loading one with its tokenizer from a folder.

Knows no items and no tasks. The names are those of BabyLM's pipeline.
"""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.errors import DataError, shortened, unknown
from sleep_tune.evaluation.weights import TRUNK, opening, placed, renaming, require_one_set, require_sound

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "AUTO",
    "BACKENDS",
    "Backend",
    "Note",
    "backend_of",
    "load_model",
    "load_tokenizer",
    "open_model",
    "open_tokenizer",
    "read_config",
    "require_fit",
]

Note = Callable[[str], object]
"""Is called with a sentence that the reader of a result must know."""

AUTO = "auto"
"""In place of a back end's name: the one that the model's architecture suggests."""


@dataclass(frozen=True, slots=True)
class Backend:
    """How a model is asked for the probability of a token."""

    masks: bool
    """The token is masked, one at a time (Salazar et al. 2020); otherwise the text is read as it is."""
    shift: int
    """How many positions before the token the answer stands."""
    model_class: str
    """The class of `transformers` that opens its models."""


BACKENDS: dict[str, Backend] = {
    "mlm": Backend(masks=True, shift=0, model_class="AutoModelForMaskedLM"),
    "mntp": Backend(masks=True, shift=1, model_class="AutoModelForMaskedLM"),
    "causal": Backend(masks=False, shift=1, model_class="AutoModelForCausalLM"),
}
"""Name -> masked language models; masked next-token prediction, as GPT-BERT's; causal ones."""

MASKED, CAUSAL = "MaskedLM", ("CausalLM", "LMHeadModel")
"""How the names of architectures end."""

SHOWN = 5
"""Names in a message."""

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "tokenizer.model")
"""A folder with a tokenizer has at least one of these."""

ADAPTER = "adapter_config.json"
"""In a folder of peft's, whose weights transformers reads only with that library."""

LARGEST = {
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 1_000),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_sequence_length"), 100_000_000),
}
"""Key of a config.json -> its highest plausible value. transformers works through all of these before any weight."""


def backend_of(folder: Path, given: str = AUTO) -> str:
    """The back end of a model folder: the one given, or else causal where its config names a causal architecture.

    Masked next-token prediction leaves no trace in a folder and is never guessed.

    Raises:
        DataError: there is no such back end; the folder holds no model; `auto` and its architecture is of neither kind.
    """
    if given in BACKENDS:
        return given
    if given != AUTO:
        raise DataError(unknown("backend", given, [*BACKENDS, AUTO]))
    architectures = _architectures(folder, read_config(folder))
    if any(name.endswith(MASKED) for name in architectures):
        return "mlm"
    if any(name.endswith(CAUSAL) for name in architectures):
        return "causal"
    raise DataError(
        f"{folder / 'config.json'}: architectures must name a masked or causal language model for --backend auto; got "
        f"{list(architectures)}: say --backend {', '.join(BACKENDS)}"
    )


def load_model(
    folder: Path, backend: str, *, trust_remote_code: bool = False, note: Note = warnings.warn
) -> "PreTrainedModel":
    """Open a model folder on the CPU, in float32 and evaluation mode.

    Args:
        folder: as `save_pretrained` writes it.
        backend: a name of BACKENDS.
        trust_remote_code: run the Python files that the folder brings along.
        note: called with what a reader of the scores must know of the folder.

    Raises:
        DataError: the folder holds no model that this back end can ask, not all of its weights or others, or a model
            that is to be asked as a causal one, but sees what it is asked for.
    """
    config = read_config(folder)
    architectures = _architectures(folder, config)
    only_masked = bool(architectures) and all(name.endswith(MASKED) for name in architectures)
    if backend == "causal" and only_masked and not config.get("is_decoder") and "auto_map" not in config:
        raise DataError(
            f"{folder} must hold a model that reads from left to right for --backend causal; it holds a masked one, "
            f"which sees what it is asked for ({', '.join(architectures)}): take --backend mlm"
        )
    opened = open_model(
        folder, BACKENDS[backend].model_class, f" (--backend {backend})", trust_remote_code=trust_remote_code, note=note
    )
    opened.train(False)
    if backend == "causal":
        _require_left_to_right(opened, folder)
    return opened


def _require_left_to_right(model: "PreTrainedModel", folder: Path) -> None:
    """Refuse a model that sees the token it is asked for, whatever its class is called.

    XLNet does, and so does BertLMHeadModel where its configuration does not say is_decoder.
    """
    from sleep_tune.evaluation.logits import first_token_sees_others

    embedding: Any = model.get_input_embeddings()
    # XLNet has no such setting.
    decoder = ", or correct is_decoder in config.json if it was not" if hasattr(model.config, "is_decoder") else ""
    rows = int(embedding.weight.shape[0])
    if first_token_sees_others(model, rows // 3, rows // 2):
        raise DataError(
            f"{folder} must hold a model that reads from left to right for --backend causal; its "
            f"{type(model).__name__} sees the tokens after the one at which it answers: take --backend mlm if it was "
            f"trained with masks{decoder}"
        )


def open_model(
    folder: Path, opener: str, why: str = "", *, trust_remote_code: bool = False, note: Note = warnings.warn
) -> "PreTrainedModel":
    """Open a model folder on the CPU, in float32.

    Args:
        folder: as `save_pretrained` writes it.
        opener: a class of `transformers`.
        why: this one, for the message.
        trust_remote_code: run the Python files that the folder brings along.
        note: called with what a reader of the scores must know of the folder.

    Raises:
        DataError: that class does not open it; it holds no weights or two sets of them; a weight is missing, unused, of
            another shape or no finite number.
    """
    import torch
    import transformers

    config = read_config(folder)
    _require_openable(folder, config, trust_remote_code)
    # A configuration may name the file itself, which transformers then reads.
    ignored = "" if config.get("transformers_weights") else require_one_set(folder)
    if ignored:
        note(ignored)
    opener_class = getattr(transformers, opener)
    load = partial(opener_class.from_pretrained, folder, dtype=torch.float32, trust_remote_code=trust_remote_code)
    what = f"a model that {opener} opens{why}"
    own_code = "auto_map" in config and not trust_remote_code
    hint = " (the folder brings code of its own, which --trust-remote-code runs)" if own_code else ""
    prefix = placed(load, folder, what, trunk=opener == TRUNK, hint=hint)
    if prefix:
        note(f"the names of all weights in {folder} begin with '{prefix}', which was removed")
    with opening(folder, what):
        opened: PreTrainedModel = load(key_mapping=renaming(prefix))
    require_sound(opened, folder)
    return opened


def load_tokenizer(
    folder: Path, backend: str, model: "PreTrainedModel | None" = None, *, trust_remote_code: bool = False
) -> "PreTrainedTokenizerBase":
    """Open a folder's fast tokenizer, ready to frame texts and to say which characters a token stands for.

    Args:
        folder: as `save_pretrained` writes it.
        backend: a name of BACKENDS; those that mask need a mask token.
        model: the model that will read its tokens.
        trust_remote_code: run the Python files that the folder brings along.

    Raises:
        DataError: there is none, it is not a fast one, it has no mask where one is needed, or it has tokens that the
            model's embedding lacks.
    """
    opened = open_tokenizer(folder, trust_remote_code=trust_remote_code)
    if not opened.is_fast:
        raise DataError(f"{folder} must hold a fast tokenizer (tokenizer.json), which tells tokens' characters")
    if BACKENDS[backend].masks and opened.mask_token_id is None:
        held = ", ".join(f"{role} {token}" for role, token in opened.special_tokens_map.items()) or "none"
        raise DataError(
            f"{folder}: the tokenizer must have a mask_token for --backend {backend}; its special tokens: {held}"
        )
    if model is not None:
        require_fit(opened, model, folder)
    return opened


def open_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> "PreTrainedTokenizerBase":
    """Open a folder's tokenizer of any kind.

    Raises:
        DataError: there is none.
    """
    from transformers import AutoTokenizer

    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        # Without one, transformers makes up an empty tokenizer for some architectures.
        raise DataError(
            f"{folder} must hold a tokenizer; it has none of {', '.join(TOKENIZER_FILES)}: copy the files of the one "
            "that the model was trained with into it"
        )
    with opening(folder, "a tokenizer that AutoTokenizer opens"):
        opened: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=trust_remote_code)
    return opened


def require_fit(tokenizer: "PreTrainedTokenizerBase", model: "PreTrainedModel", folder: Path) -> None:
    """Refuse a tokenizer with tokens that the model's embedding lacks; both are of `folder`."""
    embedding: Any = model.get_input_embeddings()
    rows, highest = int(embedding.weight.shape[0]), max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        token = tokenizer.convert_ids_to_tokens(highest)
        raise DataError(
            f"{folder}: the tokenizer must fit the model, whose embedding has {rows} rows (ids 0 to {rows - 1}); "
            f"got a tokenizer of {len(tokenizer.get_vocab())} tokens, with '{token}' as id {highest}"
        )


def _require_openable(folder: Path, config: Mapping[str, Any], trust_remote_code: bool) -> None:
    """Refuse what transformers would do with a folder, unasked, before it compares any weight.

    Raises:
        DataError: the model is an adapter; its configuration has sizes beyond reason, or names code of the Hub.
    """
    if (folder / ADAPTER).is_file():
        raise DataError(
            f"{folder} must hold a whole model; {ADAPTER} says that it is an adapter of another one: merge the two "
            "(merge_and_unload) and save the model"
        )
    for key, value in _entries(config):
        if key in LARGEST and isinstance(value, int) and value > LARGEST[key]:
            raise DataError(f"{folder / 'config.json'}: {key} must be at most {LARGEST[key]:,}; got {value:,}")
        if key.endswith("_implementation") and isinstance(value, str) and "/" in value and not trust_remote_code:
            raise DataError(
                f"{folder / 'config.json'}: {key} '{shortened(value)}' is code of the Hub, which is run with "
                "--trust-remote-code only"
            )


def _entries(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keys and values of a configuration and of those inside it."""
    for key, value in config.items():
        yield key, value
        if isinstance(value, dict):
            yield from _entries(value)


def _architectures(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """The names of a model's classes, as its configuration has them.

    Raises:
        DataError: they are no list of names.
    """
    names = config.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataError(
            f"{folder / 'config.json'}: architectures must be a list of names; got {shortened(repr(names))}"
        )
    return names


def read_config(folder: Path) -> dict[str, Any]:
    """The config.json of a model's folder.

    Raises:
        DataError: there is no such folder, or no such file in it, or it is broken.
    """
    path = folder / "config.json"
    if folder.is_file():
        raise DataError(f"{folder} must be a model's folder, with a config.json; it is a file: give {folder.parent}")
    if not folder.is_dir():
        raise DataError(
            f"{folder} must be a model's folder, with a config.json; there is no such folder (a model of the Hub has "
            "to be downloaded first: hf download NAME --local-dir FOLDER)"
        )
    if not path.is_file():
        inside = [str(path.parent) for path in sorted(folder.glob("*/config.json"))]
        hint = f"; did you mean {' or '.join(inside[:SHOWN])}?" if inside else ""
        raise DataError(f"{folder} must be a model's folder, with a config.json; it has none{hint}")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} must hold a JSON object: {error}") from error
    if not isinstance(config, dict):
        raise DataError(f"{path} must hold a JSON object; got {shortened(repr(config))}")
    return config
