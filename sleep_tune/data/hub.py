"""The Hugging Face Hub: downloads that are kept, the token to use, and messages for its errors."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from sleep_tune.data.cache import cached_folder, content_key
from sleep_tune.errors import DataError, shortened
from sleep_tune.files import write_whole

__all__ = ["TOKEN_NAMES", "cached_download", "find_matching", "hub_errors", "hub_token"]

TOKEN_NAMES = ("HF_TOKEN", "HF_READ_TOKEN", "HF_WRITE_TOKEN")
"""Environment variables that may hold a token; the first one that is set is used."""


def hub_token(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return the user's token, or None: public data needs none, and a login by `hf auth login` is used anyway."""
    return next((environment[name] for name in TOKEN_NAMES if environment.get(name)), None)


@contextmanager
def hub_errors(what: str, key: str) -> Iterator[None]:
    """Turn the Hub's errors into one message.

    Args:
        what: name of what is downloaded or uploaded, for the message: "dataset 'owner/name'".
        key: option that names it.

    Raises:
        DataError: access denied, nothing of that name, or the Hub cannot be reached; the message says which.
    """
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

    given = next((name for name in TOKEN_NAMES if os.environ.get(name)), None)
    token = f"the token in {given} was used" if given else f"no token is set in {', '.join(TOKEN_NAMES)}"
    try:
        yield
    except RevisionNotFoundError as error:
        raise DataError(f"{key}: the Hub has {what}, but not this revision") from error
    except GatedRepoError as error:
        raise DataError(f"{key}: the Hub gives {what} only to users who have accepted its terms; {token}") from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"{key}: the Hub has no {what}, or it is private and needs a token with access; {token}"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in (401, 403):
            raise DataError(f"{key}: the Hub refused access to {what} (HTTP {status}); {token}") from error
        raise DataError(f"{key}: the Hub failed on {what} (HTTP {status}); try again later") from error
    except _connection_errors() as error:
        if isinstance(error, PermissionError | FileExistsError):
            raise
        raise DataError(f"{key}: the Hub cannot be reached for {what}: {_first_line(error)}") from error


def cached_download(name: str, cache: Path, *, what: str, key: str, patterns: Sequence[str]) -> Path:
    """Return a folder with files of a repository, which are downloaded once; `source.json` beside it holds the commit.

    Args:
        name: id of the repository.
        cache: folder that holds downloads.
        what: of what kind they are: 'model', 'tokenizer'.
        key: option that names it.
        patterns: of the names of the files, at the top of the repository.

    Raises:
        DataError: it is no id, or cannot be downloaded.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    def download(entry: Path) -> None:
        with hub_errors(f"{what} '{name}'", key):
            try:
                snapshot = Path(
                    snapshot_download(name, allow_patterns=list(patterns), ignore_patterns=["*/*"], token=hub_token())
                )
            except HFValidationError as error:
                raise DataError(
                    f"{key} must be a folder or an id on the Hub; got '{shortened(name)}', which is neither"
                ) from error
        (entry / "files").mkdir()
        for path in find_matching(snapshot, patterns):  # earlier downloads of others may lie there too
            shutil.copyfile(path, entry / "files" / path.name)
        write_whole(entry / "source.json", json.dumps({"name": name, "commit": snapshot.name}) + "\n")

    return cached_folder(cache, f"{what}-" + content_key({"name": name}), download) / "files"


def find_matching(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Return the files of a folder whose names match one of the patterns, sorted."""
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.is_file()})


def _connection_errors() -> tuple[type[Exception], ...]:
    """Return the errors of a broken connection: huggingface_hub uses httpx, later versions httpx2."""
    modules = [import_module(name) for name in ("httpx", "httpx2") if find_spec(name)]
    return (OSError, *(module.TransportError for module in modules))


def _first_line(error: BaseException) -> str:
    """Return the message's first line, or the name of the error's class if it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
