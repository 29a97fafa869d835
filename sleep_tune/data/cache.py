"""The cache: folders that are named by a digest of their sources, made once, and checked before each use.

A folder is filled under another name and renamed last, so a folder under its final name is complete. A manifest in it
holds the size and SHA-256 of every file. Both are checked each time a process opens the folder (a second for 2 GB); a
damaged folder is set aside and made again. A lock (flock, which the kernel releases when its holder dies) keeps two
processes from doing the same work. The process that holds it removes what a killed process left.
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
import time
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
    "file_state",
    "require_cache_space",
    "require_cached",
]

logger = logging.getLogger(__name__)

HEADROOM_BYTES = 64 * 2**20
"""Free space that the cache leaves on the disk."""

TICK_NS = 2 * 10**9
"""Age, in ns, up to which a later change of a file may have the same time: some file systems count in 2 seconds."""

MANIFEST = "manifest.json"
"""File in a cached folder: {"files": {relative path: {"bytes": size, "sha256": digest}}}."""

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
"""Errors of a path that is not a folder that can be written to."""

REMEDY = "set data.cache_dir or SLEEP_TUNE_CACHE to a folder elsewhere"


def cache_folder(configured: str | None) -> Path:
    """Return the cache's absolute path: `configured`, else $SLEEP_TUNE_CACHE, else ~/.cache/sleep-tune."""
    chosen = configured or os.environ.get("SLEEP_TUNE_CACHE") or "~/.cache/sleep-tune"
    return expanded(chosen).absolute()


def content_key(identity: Mapping[str, Any]) -> str:
    """Return 32 hexadecimal digits that identify `identity`, whose values JSON can hold."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


def cached_folder(cache: Path, key: str, make: Callable[[Path], None]) -> Path:
    """Return the folder <cache>/<key>, after making it if it is missing or damaged.

    A damaged folder is renamed, not removed, so that processes that have mapped its files keep them. It is removed when
    the same folder is made the next time.

    Args:
        cache: is made if it does not exist.
        key: name of the folder.
        make: fills an empty folder, given its path.

    Raises:
        ConfigError: the cache cannot be written to.
        DiskError: the disk is full; nothing is left behind.
    """
    folder = cache / key
    damage = _find_damage(folder)
    if damage is None:
        return folder
    with _cache_errors(cache, folder, damage):
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
                logger.warning(
                    "%s is damaged and is made again: %s (the damaged folder is now %s)", folder, damage, aside
                )
            _make(folder, make)
    return folder


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content; a process computes it again only if the file has changed, or just did.

    Raises:
        OSError: it cannot be read.
    """
    state = file_state(path)
    if abs(time.time_ns() - max(state[-2:])) < TICK_NS:
        return sha256_of(path)
    return _digest_of(path, state)


def file_state(path: Path) -> tuple[int, int, int, int]:
    """Return inode, size, and times of change in ns: content that changes gives other numbers, even if it changes back.

    The last one is the kernel's, which no program can set. Two changes within a tick of its clock may have the same.

    Raises:
        OSError: the file cannot be found.
    """
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def require_cached(folder: Path) -> Path:
    """Return a folder of the cache that a run uses, after checking that it still exists.

    Raises:
        DataError: it has been removed. The run's checkpoints are not in the cache, so nothing is lost.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder} was removed from the token cache while a run used it: run the same command again to resume"
        )
    return folder


def require_cache_space(folder: Path, num_bytes: int) -> None:
    """Raise an error, before anything is written, if `num_bytes` do not fit into a folder that is being made.

    Raises:
        DiskError: says how much is needed and how much is free.
    """
    require_space(folder.parent, num_bytes + HEADROOM_BYTES, "the token cache", REMEDY)


def _make(folder: Path, make: Callable[[Path], None]) -> None:
    """Fill a new folder, write its manifest, and rename it to its final name; a failure leaves nothing."""
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
    """Return the read permissions of the cache's folder, which its content gets whatever the umask."""
    return cache.stat().st_mode & 0o555


def _find_damage(folder: Path) -> str | None:
    """Return what is wrong with a cached folder; None if every file is unchanged. Files added later are ignored."""
    if not os.path.isdir(folder):  # noqa: PTH112 - unlike Path's, it raises nothing for a name that is too long
        return "it is not a folder" if os.path.lexists(folder) else "it does not exist"
    try:
        files = json.loads((folder / MANIFEST).read_bytes())["files"]
        expected = {
            str(name): {"bytes": int(made["bytes"]), "sha256": str(made["sha256"])} for name, made in files.items()
        }
    except FileNotFoundError:
        return f"it has no {MANIFEST}, like the folders of earlier versions"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"its {MANIFEST} cannot be read ({type(error).__name__})"
    return find_change(folder, expected, file_digest)


@functools.lru_cache(maxsize=4096)
def _digest_of(path: Path, _state: tuple[int, ...]) -> str:
    """Return the digest of a file in a state (`file_state`)."""
    return sha256_of(path)


def _remove(leftover: Path) -> None:
    """Remove a leftover folder or file; files that a network drive still holds open stay."""
    if leftover.is_dir() and not leftover.is_symlink():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path`, waiting for it; the file stays, since removing it would be a race."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except PermissionError:  # it belongs to another user of a shared cache
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_uid == os.geteuid():
            grant(path, _readers(path.parent))
        if not _try_lock(file):
            logger.info("waiting for another process that is preparing the same text")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _try_lock(file: IO[bytes]) -> bool:
    """Take the lock if no process holds it; return whether it was taken."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _cache_errors(cache: Path, folder: Path, damage: str) -> Iterator[None]:
    """Turn the operating system's errors about the cache into errors that say what to do."""
    there = os.path.lexists(folder)
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskError(
                f"data.cache_dir: the disk of {cache} became full while the token cache was written; nothing was kept. "
                f"Free some space, or {REMEDY}"
            ) from error
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP):
            raise ConfigError(
                f"data.cache_dir must be on a file system with locks (flock); got {cache} ({error.strerror}): {REMEDY}"
            ) from error
        # The error may also come from the text that is read meanwhile, which is not in the cache.
        place = error.filename or cache
        ours = cache.is_relative_to(place) or Path(place).is_relative_to(cache)
        if ours and error.errno in REFUSED:
            why = f"; {folder.name} in it must be made again, since {damage}" if there else ""
            raise ConfigError(
                f"data.cache_dir must be a folder that can be written to; got {cache} ({error.strerror}){why}: {REMEDY}"
            ) from error
        raise
