"""The files of a model that training starts from: a folder, or a download from the Hub."""

import hashlib
import json
import shutil
from pathlib import Path

from sleep_tune.config.model_file import require_place
from sleep_tune.data.cache import cached_folder, content_key
from sleep_tune.data.hub import hub_errors, hub_token
from sleep_tune.errors import DataError, shortened
from sleep_tune.files import expanded, sha256_of, write_whole

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
    key = "model-" + content_key({"name": name})
    return cached_folder(cache, key, lambda unfinished: _download(name, unfinished)) / "files"


def digest_model(folder: Path) -> str:
    """Return one SHA-256 of the names and contents of the files that decide what a model computes.

    Raises:
        DataError: a file cannot be read.
    """
    files = sorted({path for pattern in WEIGHTS for path in folder.glob(pattern) if path.is_file()})
    try:
        digests = {path.name: sha256_of(path) for path in files}
    except OSError as error:
        raise DataError(f"model.init: {folder} must be readable: {error}") from error
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def _download(name: str, entry: Path) -> None:
    """Download the model's files to `entry`/files, and write their commit to source.json."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    with hub_errors(f"model '{name}'", "model.init"):
        try:
            snapshot = Path(
                snapshot_download(name, allow_patterns=list(PATTERNS), ignore_patterns=["*/*"], token=hub_token())
            )
        except HFValidationError as error:
            raise DataError(
                f"model.init must be a folder or an id on the Hub; got '{shortened(name)}', which is neither"
            ) from error
    (entry / "files").mkdir()
    for path in sorted(snapshot.iterdir()):
        if path.is_file():
            shutil.copyfile(path, entry / "files" / path.name)
    write_whole(entry / "source.json", json.dumps({"name": name, "commit": snapshot.name}) + "\n")
