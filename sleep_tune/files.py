"""Reading and writing of files so that a kill or a power cut never leaves one half-written.

A file is written under a temporary name, synced and renamed. In a log, of which lines are appended, only the last line
may be incomplete.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import DiskError, RunFolderError, refusal

__all__ = [
    "expanded",
    "find_change",
    "fingerprint",
    "grant",
    "is_file",
    "is_folder",
    "read_json_lines",
    "read_json_object",
    "read_safetensors_header",
    "require_space",
    "require_writable",
    "sha256_of",
    "share_tree",
    "sync_folder",
    "sync_tree",
    "write_whole",
    "writing",
]


def expanded(path: str) -> Path:
    """Return `path` with ~ and ~user replaced by home folders; unchanged if there is no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def is_folder(path: str | Path) -> bool:
    """Return whether a path is a folder; a name that is too long is none, for which `Path.is_dir` raises an error."""
    return os.path.isdir(path)  # noqa: PTH112


def is_file(path: str | Path) -> bool:
    """Return whether a path is a file; a name that is too long is none, for which `Path.is_file` raises an error."""
    return os.path.isfile(path)  # noqa: PTH113


def require_space(folder: Path, num_bytes: int, what: str, remedy: str) -> None:
    """Check, before anything is written, that the disk has `num_bytes` free.

    Args:
        folder: an existing folder on the disk.
        num_bytes: that will be written, plus what must stay free.
        what: name of what is written, for the message.
        remedy: what the user can do instead of making room.

    Raises:
        DiskError: it has less; the message says how much is needed and how much is free.
    """
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise DiskError(
            f"{folder} must have {num_bytes / 2**20:,.0f} MiB free for {what}; it has {free / 2**20:,.0f} MiB: "
            f"free some space, or {remedy}"
        )


def require_writable(folder: Path, remedy: str) -> None:
    """Check, before anything is computed, that this user can create files in `folder`.

    Args:
        folder: need not exist yet.
        remedy: what the user can do instead.

    Raises:
        RunFolderError: it, or the nearest path above it that exists, is not a folder or cannot be written.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    why = None if place.is_dir() else "is not a folder"
    if why is None:
        try:
            tempfile.TemporaryFile(dir=place).close()  # what os.access says of root is wrong in such places as /proc
        except OSError as error:
            why = f"cannot be written ({error.strerror})"
    if why is not None:
        raise RunFolderError(f"{folder} must be a folder that can be written; {place} {why}: {remedy}")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn errors of a full, broken or read-only disk, or of a limit, into the UserError that `refusal` returns."""
    try:
        yield
    except OSError as error:
        refused = refusal(error, str(path))
        if refused is None:
            raise
        raise refused from error


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that its renames and new names survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Sync every file below `folder`, so that its content survives a power cut."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def share_tree(folder: Path) -> None:
    """Add the permissions of `folder` to everything below it.

    Some libraries, such as safetensors, make files that only their user may read, whatever the umask.
    """
    usual = stat.S_IMODE(folder.stat().st_mode) & 0o777
    for path in folder.rglob("*"):
        if not path.is_symlink():
            grant(path, usual)


def grant(path: Path, permissions: int) -> None:
    """Add `permissions` (bits of a mode) to those of `path`; a file gets no permission to execute."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if more := permissions & (0o777 if path.is_dir() else 0o666) & ~mode:
        path.chmod(mode | more)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path, digest: Callable[[Path], str] = sha256_of) -> dict[str, Any]:
    """Return the size and SHA-256 of a file, for `find_change`."""
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def find_change(
    folder: Path, files: Mapping[str, Mapping[str, Any]], digest: Callable[[Path], str] = sha256_of
) -> str | None:
    """Return which file of a folder has changed since it was written, and how; None if none has.

    Args:
        folder: holds the files.
        files: path below the folder -> `fingerprint`.
        digest: returns a file's SHA-256.
    """
    for name, then in files.items():
        path = folder / name
        try:
            if not path.is_file():
                return f"{name} is missing"
            if path.stat().st_size != then["bytes"]:
                return f"{name} has {path.stat().st_size:,} bytes instead of {then['bytes']:,}"
            if digest(path) != then["sha256"]:
                return f"{name} is not what was written (its SHA-256 differs)"
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
    return None


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file so that `path` holds either its old content or all of the new one.

    A new file gets the permissions that `open` would give it: those of the umask, or of the folder's default ACL. An
    existing file keeps its permissions and its group. A link is replaced, since in a folder from another person it may
    lead to any of the user's files. A pipe or a terminal is written to directly.

    Raises:
        DiskError: the disk is full, broken or read-only.
        LimitError: a limit on files does not allow it.
        RunFolderError: `path` is a folder.
    """
    with writing(path):
        _write_whole(path, content.encode() if isinstance(content, str) else content)


def _write_whole(path: Path, data: bytes) -> None:
    if path.is_dir():
        raise RunFolderError(f"{path} must be a file; it is a folder: remove or rename it")
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.is_file() and not path.is_symlink():
                _keep_permissions(file.fileno(), path.stat())  # first: what is private is never readable
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _keep_permissions(descriptor: int, before: os.stat_result) -> None:
    """Give a new file the group and permissions of the file that it replaces.

    If this user may not give it the group, it keeps its own, with the permissions that others have.
    """
    mode = stat.S_IMODE(before.st_mode)
    if os.fstat(descriptor).st_gid != before.st_gid:
        try:
            os.fchown(descriptor, -1, before.st_gid)
        except PermissionError:
            mode = mode & ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3
    with contextlib.suppress(PermissionError):  # some mounts have no permissions
        os.fchmod(descriptor, mode)


def read_json_object(path: Path) -> dict[str, Any] | None:
    """Return the object in a JSON file; None if there is no file, it cannot be read, or it holds something else."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None


def read_safetensors_header(path: Path) -> dict[str, Any]:
    """Return name -> dtype and shape of the tensors in a safetensors file, without reading their numbers.

    The file begins with the length of its header in 8 bytes; the header is a JSON object.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such file.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > LONGEST_HEADER:
            raise ValueError(f"{path} must begin with a header of up to {LONGEST_HEADER:,} bytes; got {length:,}")
        header: dict[str, Any] = json.loads(file.read(length))
    return {name: about for name, about in header.items() if name != "__metadata__"}


LONGEST_HEADER = 100_000_000
"""Bytes of the longest header that the library safetensors writes."""


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the object on each line; a last line that a kill left incomplete (no newline, or not JSON) is dropped.

    Raises:
        ValueError: a line before the last is not a JSON object; the message names file and line.
    """
    lines = path.read_bytes().split(b"\n")
    torn = lines.pop()  # what follows the last newline: empty, or a torn line
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict):
                raise TypeError("not an object")
        except (ValueError, TypeError, RecursionError) as error:
            if number == len(lines) and not torn:
                return
            # In a folder from another person the file may be a link to a private one, which must not be quoted.
            given = repr(line[:80]) if line.startswith((b"{", b"[")) else "a line that begins with neither { nor ["
            raise ValueError(f"{path}:{number}: expected a JSON object, got {given}") from error
        yield record
