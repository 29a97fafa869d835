"""The files of a tokenizer that exists: a folder, or a download from the Hub; opened by transformers.

No code that a folder brings along is ever run. Knows no text.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune.data.cache import cached_folder, content_key
from sleep_tune.data.formats import find_format
from sleep_tune.data.hub import asking_hub, hub_token
from sleep_tune.errors import DataError, shortened
from sleep_tune.files import expanded, write_whole

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["digest_of", "find_folder", "open_tokenizer", "refuse"]

PATTERNS = ("*.json", "*.txt", "*.model", "*.tiktoken")
"""Names of the files that a tokenizer may be made of; not weights, nor code."""
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken")
"""One of these holds the vocabulary; without one, transformers makes up an empty tokenizer for some models."""
ROLES = ("cls_token", "bos_token", "sep_token", "eos_token", "pad_token", "mask_token", "unk_token")
"""Special tokens, as transformers calls them."""
MOST_OF_A_MESSAGE = 300


def find_folder(name: str, cache: Path) -> Path:
    """The folder of a tokenizer's files: `name` itself, or what the Hub has under that id.

    What was downloaded is used without asking the Hub again: a study should not change under way because a branch
    moved. `source.json` beside it holds the commit.

    Args:
        name: a folder, or an id on the Hub.
        cache: folder that the download is kept in.

    Raises:
        DataError: it is neither, or the Hub does not give it.
    """
    folder = expanded(name)
    if folder.is_dir():
        return folder
    if folder.exists() or name[:1] in ("/", ".", "~") or name.count("/") > 1:
        what = "is a file" if folder.exists() else "does not exist"
        raise DataError(f"tokenizer.name must be a folder, or an id on the Hub; got {name}, which {what}")
    entry = cached_folder(
        cache, "tokenizer-" + content_key({"name": name}), lambda unfinished: _download(name, unfinished)
    )
    return entry / "files"


def _download(name: str, entry: Path) -> None:
    """Copy the tokenizer's files of the Hub to `entry`/files, and note the commit that they are of."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    with asking_hub(f"tokenizer '{name}'", "tokenizer.name"):
        try:
            snapshot = Path(
                snapshot_download(name, allow_patterns=list(PATTERNS), ignore_patterns=["*/*"], token=hub_token())
            )
        except HFValidationError as error:
            raise DataError(
                f"tokenizer.name must be a folder, or an id on the Hub; got '{shortened(name)}', which is neither"
            ) from error
    (entry / "files").mkdir()
    for path in _files_of(snapshot):
        shutil.copyfile(path, entry / "files" / path.name)
    write_whole(entry / "source.json", json.dumps({"name": name, "commit": snapshot.name}) + "\n")


def digest_of(folder: Path, name: str) -> str:
    """SHA-256 of names and contents of the tokenizer's files.

    Raises:
        DataError: a file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        for path in _files_of(folder):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    except OSError as error:
        raise refuse(name, f"cannot be read: {error}") from error
    return digest.hexdigest()


def open_tokenizer(folder: Path, name: str) -> "tuple[Tokenizer, dict[str, str]]":
    """Open a folder's tokenizer with transformers.

    Args:
        folder: of its files.
        name: what the user called it, for messages.

    Returns:
        The tokenizer, and its special tokens by transformers' role: those of ROLES that it has.

    Raises:
        DataError: it cannot be loaded, or is no fast tokenizer.
    """
    from tokenizers import Tokenizer
    from transformers import AutoTokenizer

    if not any(path.is_file() for pattern in VOCABULARIES for path in folder.glob(pattern)):
        below = [found.parent for found in sorted(folder.glob("*/tokenizer.json"))]
        hint = f"; did you mean {below[0]}?" if below else ""
        raise refuse(name, f"must hold a tokenizer (tokenizer.json); it has no vocabulary{hint}")
    for path in _files_of(folder):
        found = find_format(path.read_bytes())
        if found is not None and found[0] != "JSON":
            raise refuse(name, f"must hold a tokenizer's files; {path.name} is {found[0]}: {found[1]}")
    try:
        loaded = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        fast = getattr(loaded, "is_fast", False)
        tokenizer = Tokenizer.from_str(loaded.backend_tokenizer.to_str()) if fast else None
    except BaseException as error:  # whatever transformers makes of files that it does not understand, or tokenizers
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise refuse(name, f"cannot be read as a tokenizer: {_told(error)}") from error
    if tokenizer is None:
        raise refuse(name, "must have a fast tokenizer (tokenizer.json); it has none")
    tokenizer.no_truncation()
    tokenizer.no_padding()
    named = {role: str(token) for role in ROLES if (token := getattr(loaded, role, None)) is not None}
    return tokenizer, {role: token for role, token in named.items() if tokenizer.token_to_id(token) is not None}


def refuse(name: str, what: str) -> DataError:
    """The error that says what is wrong with a tokenizer."""
    return DataError(f"tokenizer.name: '{name}' {what}")


def _files_of(folder: Path) -> list[Path]:
    """The files that a tokenizer may be made of, in the order of their names."""
    return sorted(path for pattern in PATTERNS for path in folder.glob(pattern) if path.is_file())


def _told(error: BaseException) -> str:
    """What a library says is wrong, on one line; with the error's class where that is no sentence."""
    lines = str(error).strip().splitlines() or [""]
    told = shortened(lines[0], MOST_OF_A_MESSAGE)
    return told if isinstance(error, OSError | ValueError) and told else f"{type(error).__name__}: {told}"
