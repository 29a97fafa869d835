"""The files of a model that training starts from: a folder, or a download from the Hub."""

import hashlib
import json
from pathlib import Path

from sleep_tune.config.model_file import require_place
from sleep_tune.data.hub import cached_download, find_matching
from sleep_tune.errors import DataError
from sleep_tune.files import expanded, sha256_of

__all__ = ["digest_model", "find_model_folder"]

PATTERNS = ("*.json", "*.txt", "*.model", "*.py", "model*.safetensors", "pytorch_model*.bin")
"""Files of a model and its tokenizer; checkpoints of other libraries are left out."""
WEIGHTS = ("config.json", "*.safetensors", "*.bin", "*.safetensors.index.json", "*.bin.index.json", "*.py")
"""Files that decide what the model computes."""


def find_model_folder(name: str, cache: Path) -> Path:
    """Return the folder of a model's files: `name` itself, or a download from the Hub.

    Later runs use the download without asking the Hub again; `source.json` beside it holds the commit.

    Args:
        name: a folder, or an id on the Hub.
        cache: folder that holds the download.

    Raises:
        ConfigError: it is a file, or a path at which there is nothing.
        DataError: it cannot be downloaded.
    """
    folder = expanded(name)
    if folder.is_dir():
        return folder
    require_place(name)
    return cached_download(name, cache, what="model", key="model.init", patterns=PATTERNS)


def digest_model(folder: Path, key: str = "model.init") -> str:
    """Return one SHA-256 of the names and contents of the files that decide what a model computes.

    Args:
        folder: of the model.
        key: option that names it, for messages.

    Raises:
        DataError: a file cannot be read.
    """
    try:
        digests = {path.name: sha256_of(path) for path in find_matching(folder, WEIGHTS)}
    except OSError as error:
        raise DataError(f"{key}: {folder} must be readable: {error}") from error
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()
