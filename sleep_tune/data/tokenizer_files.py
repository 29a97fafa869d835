"""The files of an existing tokenizer: a folder, or a download from the Hub. Code in the folder is never run."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.data.formats import find_format
from sleep_tune.data.hub import cached_download, find_matching
from sleep_tune.errors import DataError, shortened
from sleep_tune.files import expanded, is_file, is_folder, read_json_object

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["digest_files", "find_tokenizer_folder", "load_tokenizer", "tokenizer_error"]

PATTERNS = ("*.json", "*.txt", "*.model", "*.tiktoken")
"""Patterns of the files of a tokenizer; neither weights nor code."""
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken")
"""Patterns of the file that holds the vocabulary; without it, transformers makes an empty tokenizer for some models."""
ROLES = ("cls_token", "bos_token", "sep_token", "eos_token", "pad_token", "mask_token", "unk_token")
"""Names of the special tokens in transformers."""
PLAIN = "PreTrainedTokenizerFast"
"""The class of transformers that reads tokenizer.json as it is."""
LONGEST_MESSAGE = 300


def find_tokenizer_folder(name: str, cache: Path) -> Path:
    """Return the folder of a tokenizer's files: `name` itself, or a download from the Hub.

    Later runs use the download without asking the Hub again, so that a study does not change when a branch moves.
    `source.json` beside it holds the commit.

    Args:
        name: a folder, or an id on the Hub.
        cache: folder that holds the download.

    Raises:
        DataError: it is neither, or cannot be downloaded.
    """
    folder = expanded(name)
    if is_folder(folder):
        return folder
    if is_file(folder) or name[:1] in ("/", ".", "~") or name.count("/") > 1:
        what = "is a file" if is_file(folder) else "does not exist"
        raise DataError(f"tokenizer.name must be a folder or an id on the Hub; got {name}, which {what}")
    return cached_download(name, cache, what="tokenizer", key="tokenizer.name", patterns=PATTERNS)


def digest_files(folder: Path, name: str) -> str:
    """Return the SHA-256 of the names and contents of the tokenizer's files.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in _files_of(folder):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    except OSError as error:
        raise tokenizer_error(name, f"cannot be read: {error}") from error
    return digest.hexdigest()


def load_tokenizer(folder: Path, name: str) -> "tuple[Tokenizer, dict[str, str]]":
    """Open a folder's tokenizer with transformers.

    Args:
        folder: of its files.
        name: of the tokenizer in the configuration, for messages.

    Returns:
        The tokenizer, and its special tokens by their names in transformers: those of ROLES that it has.

    Raises:
        DataError: it cannot be loaded, or is not a fast tokenizer.
    """
    import transformers
    from tokenizers import Tokenizer

    if not any(path.is_file() for pattern in VOCABULARIES for path in folder.glob(pattern)):
        below = [found.parent for found in sorted(folder.glob("*/tokenizer.json"))]
        hint = f"; did you mean {below[0]}?" if below else ""
        raise tokenizer_error(name, f"must hold a tokenizer (tokenizer.json); it has no vocabulary{hint}")
    for path in _files_of(folder):
        found = find_format(path.read_bytes())
        if found is not None and found[0] != "JSON":
            raise tokenizer_error(name, f"must hold a tokenizer's files; {path.name} is {found[0]}: {found[1]}")
    try:
        opener: Any = getattr(transformers, PLAIN if _is_plain(folder) else "AutoTokenizer")
        loaded = opener.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        fast = getattr(loaded, "is_fast", False)
        tokenizer = Tokenizer.from_str(loaded.backend_tokenizer.to_str()) if fast else None
    except BaseException as error:  # transformers and tokenizers raise anything for damaged files
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise tokenizer_error(name, f"cannot be read as a tokenizer: {_error_text(error)}") from error
    if tokenizer is None:
        raise tokenizer_error(name, "must have a fast tokenizer (tokenizer.json); it has none")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    named = {role: str(token) for role in ROLES if (token := getattr(loaded, role, None)) is not None}
    return tokenizer, {role: token for role, token in named.items() if tokenizer.token_to_id(token) is not None}


def tokenizer_error(name: str, what: str) -> DataError:
    """Return the error that says what is wrong with a tokenizer."""
    return DataError(f"tokenizer.name: '{name}' {what}")


def _is_plain(folder: Path) -> bool:
    """Return whether AutoTokenizer would open the folder with the class PLAIN, which does not import torch (190 MB)."""
    if not (folder / "tokenizer.json").is_file() or (folder / "config.json").exists():
        return False
    settings = read_json_object(folder / "tokenizer_config.json") or {}
    return settings.get("tokenizer_class") == PLAIN and "auto_map" not in settings


def _files_of(folder: Path) -> list[Path]:
    """Return the files of a tokenizer, sorted."""
    return find_matching(folder, PATTERNS)


def _error_text(error: BaseException) -> str:
    """Return a library's message on one line, after the error's class unless the message is a sentence for users."""
    lines = str(error).strip().splitlines() or [""]
    text = shortened(lines[0], LONGEST_MESSAGE)
    return text if isinstance(error, OSError | ValueError) and text else f"{type(error).__name__}: {text}"
