"""Folders named by what they were made from: made once, by one process, never read half-made or damaged.

Knows nothing of what is in a folder. A folder is filled under another name and renamed last, so its name alone says
that it is whole. A manifest in it holds the size and SHA-256 of every file; both are checked each time that a process
opens the folder (a second for 2 GB), and a damaged folder is set aside and made anew. A lock (flock, which the kernel
releases when its holder dies) keeps processes from doing the same work; whoever holds it clears away what a killed
process left.
"""

import errno
import fcntl
import functools
import hashlib
import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from sleep_tune.errors import ConfigError, DataError, DiskError
from sleep_tune.files import (
    expanded,
    find_change,
    fingerprint,
    grant,
    require_space,
    sha256_of,
    share_tree,
    sync_folder,
    sync_tree,
    write_whole,
)

__all__ = [
    "MANIFEST",
    "cache_folder",
    "cached_folder",
    "content_key",
    "file_digest",
    "require_cache_space",
    "still_there",
]

logger = logging.getLogger(__name__)

HEADROOM_BYTES = 64 * 2**20
"""Space that is left to others on the disk."""

MANIFEST = "manifest.json"
"""File of a cached folder: {"files": {relative path: {"bytes": size, "sha256": digest}}}."""

REFUSED = (
    errno.EACCES,
    errno.EEXIST,
    errno.EISDIR,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EPERM,
    errno.EROFS,
)
"""Errors of a path that is no folder to write to."""

REMEDY = "set data.cache_dir or SLEEP_TUNE_CACHE to a folder elsewhere"


def cache_folder(configured: str | None) -> Path:
    """`configured`, else $SLEEP_TUNE_CACHE, else ~/.cache/sleep-tune; absolute."""
    chosen = configured or os.environ.get("SLEEP_TUNE_CACHE") or "~/.cache/sleep-tune"
    return expanded(chosen).absolute()


def content_key(identity: Mapping[str, Any]) -> str:
    """32 hexadecimal digits that stand for `identity`, whose values JSON can hold."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def cached_folder(cache: Path, key: str, make: Callable[[Path], None]) -> Path:
    """The folder <cache>/<key>; made by `make`, which fills an empty folder, if it is not there yet or is damaged.

    A damaged folder is renamed, not removed: processes that have its files mapped keep them. It is removed when the
    same folder is made the next time.

    Raises:
        ConfigError: the cache cannot be written to.
        DiskError: the disk is full; nothing is left behind.
    """
    folder = cache / key
    damage = _find_damage(folder)
    if damage is None:
        return folder
    with _explaining(cache, folder, damage):
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / f"{key}.lock"):
            damage = _find_damage(folder)
            if damage is None:
                return folder
            for leftover in cache.glob(f".{key}.*"):
                _remove(leftover)
            if os.path.lexists(folder):
                aside = cache / f".{key}.damaged-{secrets.token_hex(4)}"
                folder.rename(aside)
                logger.warning("%s is made anew: %s (what was there is now %s)", folder, damage, aside)
            _make(folder, make)
    return folder


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content; computed again only when the file has changed since this process last asked.

    Raises:
        OSError: it cannot be read.
    """
    status = path.stat()
    return _digest_of(path, status.st_ino, status.st_size, status.st_mtime_ns)


def still_there(folder: Path) -> Path:
    """Return a folder of the cache that a run has been using, to be read once more.

    Raises:
        DataError: it was removed meanwhile. The run's checkpoints are not in the cache, so nothing is lost.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} was removed from the token cache while a run used it: run the same command again")
    return folder


def require_cache_space(folder: Path, num_bytes: int) -> None:
    """Refuse before anything is written if `num_bytes` do not fit into a folder that is being made.

    Raises:
        DiskError: says how much is needed and how much is free.
    """
    require_space(folder.parent, num_bytes + HEADROOM_BYTES, "the token cache", REMEDY)


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    """Fill a new folder, write its manifest, and give it its name; on a failure nothing is left."""
    unfinished = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}")
    unfinished.mkdir()
    try:
        make(unfinished)
        grant(unfinished, _readers(folder.parent))
        files = {
            path.relative_to(unfinished).as_posix(): fingerprint(path, file_digest)
            for path in sorted(unfinished.rglob("*"))
            if path.is_file()
        }
        write_whole(unfinished / MANIFEST, json.dumps({"files": files}, indent=2) + "\n")
        share_tree(unfinished)
        sync_tree(unfinished)
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    sync_folder(folder.parent)


def _readers(cache: Path) -> int:
    """Return the permissions to read of those who may read the cache, and so what is in it, whatever the umask."""
    return cache.stat().st_mode & 0o555


def _find_damage(folder: Path) -> str | None:
    """Say what is wrong with a cached folder; None if every file is as it was made. Files added later are ignored."""
    if not os.path.isdir(folder):  # noqa: PTH112 - unlike Path's, it raises nothing for a name that is too long
        return "it is no folder" if os.path.lexists(folder) else "it is not there"
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        expected = {
            str(name): {"bytes": int(made["bytes"]), "sha256": str(made["sha256"])} for name, made in files.items()
        }
    except FileNotFoundError:
        return f"it has no {MANIFEST}, as those of earlier versions"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its {MANIFEST} cannot be read ({type(error).__name__})"
    return find_change(folder, expected, file_digest)


@functools.lru_cache(maxsize=4096)
def _digest_of(path: Path, _inode: int, _size: int, _changed: int) -> str:
    """The digest of a file in the state that its inode, size and time of change stand for."""
    return sha256_of(path)


def _remove(leftover: Path) -> None:
    """Remove a folder or file that no name of the cache stands for; what a network drive still holds open stays."""
    if leftover.is_dir() and not leftover.is_symlink():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, waiting for it; the file stays, for removing it would be a race."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except PermissionError:  # another user's, who shares the cache
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_uid == os.geteuid():
            grant(path, _readers(path.parent))
        if not _try_lock(file):
            logger.info("waiting for another process, which prepares the same text")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(file: IO[bytes]) -> bool:
    """Take the lock if nobody holds it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _explaining(cache: Path, folder: Path, damage: str) -> Iterator[None]:
    """Turn what the operating system says of the cache into the user's errors."""
    there = os.path.lexists(folder)
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(
                f"data.cache_dir: {cache} ran full while the token cache was written; nothing was kept. Free some "
                "space, or set data.cache_dir or SLEEP_TUNE_CACHE"
            ) from error
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise ConfigError(
                f"data.cache_dir must be on a file system with locks (flock); got {cache} ({error.strerror}): {REMEDY}"
            ) from error
        # The text that is read meanwhile may lie anywhere; what is wrong there is not the cache's.
        place = error.filename or cache
        ours = cache.is_relative_to(place) or Path(place).is_relative_to(cache)
        if ours and error.errno in REFUSED:
            why = f", for {folder.name} in it must be made anew: {damage}" if there else ""
            raise ConfigError(
                f"data.cache_dir must be a folder that can be written to; got {cache} ({error.strerror}){why}. "
                "Set data.cache_dir or SLEEP_TUNE_CACHE"
            ) from error
        raise
