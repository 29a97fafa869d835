"""Opening a language model and its tokenizer from a folder, with every check that scores depend on."""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.errors import DataError
from sleep_tune.evaluation.backends import BACKENDS, CAUSAL
from sleep_tune.evaluation.library_errors import TRUST, one_sentence
from sleep_tune.evaluation.model_config import (
    HYBRID,
    MASKED,
    OBJECTIVE,
    read_architectures,
    read_model_config,
    require_safe_config,
)
from sleep_tune.evaluation.weight_files import require_one_set, require_sound
from sleep_tune.evaluation.weight_names import TRUNK, find_prefix, key_mapping
from sleep_tune.files import read_json_object

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

__all__ = [
    "Note",
    "holds_tokenizer",
    "load_fast_tokenizer",
    "load_model",
    "open_auto_tokenizer",
    "open_model",
    "require_fit",
]

Note = Callable[[str], object]
"""Called with each warning about a folder that belongs beside its scores."""

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "vocab.txt", "tokenizer.model")
"""A folder with a tokenizer has at least one of these."""

PLAIN_TOKENIZER = "PreTrainedTokenizerFast"
"""The class of transformers that reads tokenizer.json as it is."""


def load_model(
    folder: Path, backend: str, *, trust_remote_code: bool = False, note: Note = warnings.warn
) -> "PreTrainedModel":
    """Open a model folder on the CPU, in float32 and evaluation mode.

    Args:
        folder: as `save_pretrained` writes it.
        backend: a name of BACKENDS.
        trust_remote_code: run the Python files in the folder.
        note: called with each warning that belongs beside the scores.

    Raises:
        DataError: the folder holds no model for this back end, or not exactly the weights of its model; or the back end
            is causal and the model sees the tokens that it has to predict.
    """
    config = read_model_config(folder)
    architectures = read_architectures(folder, config)
    only_masked = bool(architectures) and all(name.endswith(MASKED) for name in architectures)
    # A hybrid model is saved as a masked one; transformers makes it causal if the configuration says is_decoder.
    changes: dict[str, Any] = {"is_decoder": True} if backend == CAUSAL and config.get(OBJECTIVE) == HYBRID else {}
    is_masked = only_masked and not (config | changes).get("is_decoder")
    if backend == CAUSAL and is_masked and "auto_map" not in config:
        raise DataError(
            f"{folder} must hold a model that reads from left to right for --backend causal; it holds a masked one, "
            f"which sees the tokens that it has to predict ({', '.join(architectures)}): use --backend mlm"
        )
    opened = open_model(
        folder,
        BACKENDS[backend].model_class,
        f" (--backend {backend})",
        trust_remote_code=trust_remote_code,
        note=note,
        **changes,
    )
    opened.train(False)
    if backend == CAUSAL:
        _require_left_to_right(opened, folder)
    return opened


def _require_left_to_right(model: "PreTrainedModel", folder: Path) -> None:
    """Refuse a model that sees the token it has to predict, whatever its class is called.

    XLNet does, and so does BertLMHeadModel if its configuration does not set is_decoder.
    """
    from sleep_tune.evaluation.logits import first_token_sees_others

    embedding: Any = model.get_input_embeddings()
    # XLNet has no such setting.
    decoder = ", or correct is_decoder in config.json if it was not" if hasattr(model.config, "is_decoder") else ""
    rows = int(embedding.weight.shape[0])
    if first_token_sees_others(model, rows // 3, rows // 2):
        raise DataError(
            f"{folder} must hold a model that reads from left to right for --backend causal; its "
            f"{type(model).__name__} sees the tokens that it has to predict: use --backend mlm if it was trained with "
            f"masks{decoder}"
        )


def open_model(
    folder: Path,
    opener: str,
    why: str = "",
    *,
    trust_remote_code: bool = False,
    trust: str = TRUST,
    note: Note = warnings.warn,
    **changes: object,
) -> "PreTrainedModel":
    """Open a model folder on the CPU, in float32.

    Args:
        folder: as `save_pretrained` writes it.
        opener: a class of `transformers`.
        why: the reason for this class, for messages.
        trust_remote_code: run the Python files in the folder.
        trust: the user's option for that, for messages.
        note: called with each warning that belongs beside the scores.
        changes: values that replace those of config.json.

    Raises:
        DataError: that class does not open the folder; it holds no weights or two sets of them; a weight is missing,
            unused, of another shape or not a finite number.
    """
    import torch
    import transformers

    config = read_model_config(folder)
    require_safe_config(folder, config, trust_remote_code=trust_remote_code, trust=trust)
    # A configuration may name the file itself, which transformers then reads.
    ignored = "" if config.get("transformers_weights") else require_one_set(folder)
    if ignored:
        note(ignored)
    opener_class = getattr(transformers, opener)
    load = partial(
        opener_class.from_pretrained, folder, dtype=torch.float32, trust_remote_code=trust_remote_code, **changes
    )
    what = f"a model that {opener} opens{why}"
    own_code = "auto_map" in config and not trust_remote_code
    hint = f" (the folder has code of its own, which is run with {trust} only)" if own_code else ""
    prefix = find_prefix(load, folder, what, trunk=opener == TRUNK, hint=hint, trust=trust)
    if prefix:
        note(f"the names of all weights in {folder} begin with '{prefix}', which was removed")
    with one_sentence(folder, what, trust):
        opened: PreTrainedModel = load(key_mapping=key_mapping(prefix))
    require_sound(opened, folder)
    return opened


def load_fast_tokenizer(
    folder: Path, backend: str, model: "PreTrainedModel | None" = None, *, trust_remote_code: bool = False
) -> "PreTrainedTokenizerBase":
    """Open a folder's fast tokenizer, which gives the characters of each token.

    Args:
        folder: as `save_pretrained` writes it.
        backend: a name of BACKENDS; those that mask need a mask token.
        model: the model that will read the tokens.
        trust_remote_code: run the Python files in the folder.

    Raises:
        DataError: there is none, it is not a fast one, it has no mask token where one is needed, or it has tokens that
            the model's embedding lacks.
    """
    opened = open_auto_tokenizer(folder, trust_remote_code=trust_remote_code)
    if not opened.is_fast:
        raise DataError(f"{folder} must hold a fast tokenizer (tokenizer.json), which gives the characters of a token")
    if BACKENDS[backend].masks and opened.mask_token_id is None:
        held = ", ".join(f"{role} {token}" for role, token in opened.special_tokens_map.items()) or "none"
        raise DataError(
            f"{folder}: the tokenizer must have a mask_token for --backend {backend}; its special tokens: {held}"
        )
    if model is not None:
        require_fit(opened, model, folder)
    return opened


def holds_tokenizer(folder: Path) -> bool:
    """Return whether a folder has files of a tokenizer."""
    return any((folder / name).is_file() for name in TOKENIZER_FILES)


def open_auto_tokenizer(folder: Path, *, trust_remote_code: bool = False) -> "PreTrainedTokenizerBase":
    """Open a folder's tokenizer of any kind.

    Raises:
        DataError: there is none.
    """
    import transformers

    if not holds_tokenizer(folder):
        # For some architectures transformers would make an empty tokenizer.
        raise DataError(
            f"{folder} must hold a tokenizer; it has none of {', '.join(TOKENIZER_FILES)}: copy the files of the one "
            "that the model was trained with into it"
        )
    with one_sentence(folder, "a tokenizer that AutoTokenizer opens"):
        opener: Any = getattr(transformers, _tokenizer_class(folder))
        opened: PreTrainedTokenizerBase = opener.from_pretrained(folder, trust_remote_code=trust_remote_code)
    return opened


def _tokenizer_class(folder: Path) -> str:
    """Return the class of transformers that opens a folder's tokenizer as it was when the model was trained.

    AutoTokenizer replaces the pre-tokenizer of some families, such as qwen2, whatever class the folder names.
    """
    settings, config = (read_json_object(folder / name) or {} for name in ("tokenizer_config.json", "config.json"))
    is_ours = OBJECTIVE in config and settings.get("tokenizer_class") == PLAIN_TOKENIZER
    return PLAIN_TOKENIZER if is_ours else "AutoTokenizer"


def require_fit(tokenizer: "PreTrainedTokenizerBase", model: "PreTrainedModel", folder: Path) -> None:
    """Refuse a tokenizer with tokens that the model's embedding lacks; both come from `folder`."""
    embedding: Any = model.get_input_embeddings()
    rows, highest = int(embedding.weight.shape[0]), max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        token = tokenizer.convert_ids_to_tokens(highest)
        raise DataError(
            f"{folder}: the tokenizer must fit the model, whose embedding has {rows} rows (ids 0 to {rows - 1}); "
            f"got a tokenizer of {len(tokenizer.get_vocab())} tokens, with '{token}' as id {highest}"
        )
