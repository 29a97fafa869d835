"""Folders named by what they were made from: made once, by one process, and never read half-made.

Knows nothing of what is in a folder. A folder is filled under another name and renamed last, so its name alone says
that it is whole. A lock (flock, which the kernel releases when its holder dies) keeps processes from doing the same
work; whoever holds it clears away what a killed one left.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sleep_tune.errors import ConfigError, DiskError
from sleep_tune.files import require_space, sync_folder, sync_tree

__all__ = ["cache_folder", "cached_folder", "content_key", "require_cache_space"]

HEADROOM_BYTES = 64 * 2**20
"""Space that is left to others on the disk."""


def cache_folder(configured: str | None) -> Path:
    """`configured`, else $SLEEP_TUNE_CACHE, else ~/.cache/sleep-tune; absolute."""
    chosen = configured or os.environ.get("SLEEP_TUNE_CACHE") or "~/.cache/sleep-tune"
    return Path(chosen).expanduser().absolute()


def content_key(identity: Mapping[str, Any]) -> str:
    """32 hexadecimal digits that stand for `identity`, whose values JSON can hold."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def cached_folder(cache: Path, key: str, make: Callable[[Path], None]) -> Path:
    """The folder <cache>/<key>; made by `make`, which fills an empty folder, if it is not there yet.

    Raises:
        ConfigError: the cache cannot be written to.
        DiskError: the disk is full; nothing is left behind.
    """
    folder = cache / key
    if folder.is_dir():
        return folder
    with _explaining(cache):
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{key}.lock"):
            if folder.is_dir():
                return folder
            for leftover in cache.glob(f".{key}.*"):
                shutil.rmtree(leftover)
            unfinished = Path(tempfile.mkdtemp(dir=cache, prefix=f".{key}."))
            try:
                unfinished.chmod(0o755)
                make(unfinished)
                sync_tree(unfinished)
                unfinished.rename(folder)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            sync_folder(cache)
    return folder


def require_cache_space(folder: Path, num_bytes: int) -> None:
    """Refuse before anything is written if `num_bytes` do not fit into a folder that is being made.

    Raises:
        DiskError: says how much is needed and how much is free.
    """
    remedy = "set data.cache_dir or SLEEP_TUNE_CACHE to a folder elsewhere"
    require_space(folder.parent, num_bytes + HEADROOM_BYTES, "the token cache", remedy)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, waiting for it; the file stays, for removing it would be a race."""
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _explaining(cache: Path) -> Iterator[None]:
    """Turn what the operating system says of the cache into the user's errors."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(
                f"data.cache_dir: {cache} ran full while the token cache was written; nothing was kept. Free some "
                "space, or set data.cache_dir or SLEEP_TUNE_CACHE"
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            raise ConfigError(
                f"data.cache_dir must be a folder that can be written to; got {cache} ({error.strerror}). Set "
                "data.cache_dir or SLEEP_TUNE_CACHE"
            ) from error
        raise
