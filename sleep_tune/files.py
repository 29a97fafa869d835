"""Files that are never half-written: whole (temporary file, fsync, rename), or lines of which the last may be torn."""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import DiskError, RunFolderError, refusal

__all__ = [
    "expanded",
    "find_change",
    "fingerprint",
    "grant",
    "read_json_lines",
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
    """`path` with ~ and ~user as their home folders; as it is where there is no such user (pathlib would raise)."""
    return Path(os.path.expanduser(path))  # noqa: PTH111


def require_space(folder: Path, num_bytes: int, what: str, remedy: str) -> None:
    """Refuse before anything is written if `num_bytes` do not fit.

    Args:
        folder: exists, on the disk in question.
        num_bytes: that will be written, with what is to be left to others.
        what: is written, for the message.
        remedy: what helps, besides making room.

    Raises:
        DiskError: says how much is needed and how much is free.
    """
    free = shutil.disk_usage(folder).free
    if free < num_bytes:
        raise DiskError(
            f"{folder} must have {num_bytes / 2**20:,.0f} MiB free for {what}; it has {free / 2**20:,.0f} MiB: "
            f"free some, or {remedy}"
        )


def require_writable(folder: Path, remedy: str) -> None:
    """Refuse before anything is computed or written if this user cannot make files in `folder`.

    Args:
        folder: is made if absent, by whoever writes there.
        remedy: what to do instead.

    Raises:
        RunFolderError: the folder, or the nearest one above it that exists, is no folder or cannot be written.
    """
    place = next(path for path in (folder, *folder.absolute().parents) if os.path.lexists(path))
    is_known = os.access in os.supports_effective_ids
    if not (place.is_dir() and os.access(place, os.W_OK | os.X_OK, effective_ids=is_known)):
        why = "is not open to this user for writing" if place.is_dir() else "is no folder"
        raise RunFolderError(f"{folder} must be a folder that can be written; {place} {why}: {remedy}")


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise the UserError that `refusal` makes of a full, broken or read-only disk, or of a limit, met at `path`."""
    try:
        yield
    except OSError as error:
        refused = refusal(error, str(path))
        if refused is None:
            raise
        raise refused from error


def sync_folder(folder: Path) -> None:
    """Make renames and new names in `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_tree(folder: Path) -> None:
    """Make the content of every file below `folder` survive a power cut, before a rename says that they are whole."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
    sync_folder(folder)


def share_tree(folder: Path) -> None:
    """Let whoever may read or write `folder` do so with everything below it, whatever made it.

    safetensors, among others, makes a file that only its user may read, whatever the umask.
    """
    usual = stat.S_IMODE(folder.stat().st_mode) & 0o777
    for path in folder.rglob("*"):
        if not path.is_symlink():
            grant(path, usual)


def grant(path: Path, permissions: int) -> None:
    """Add `permissions` (bits of a mode) to those that `path` has; a file gets none to execute."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if more := permissions & (0o777 if path.is_dir() else 0o666) & ~mode:
        path.chmod(mode | more)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprint(path: Path, digest: Callable[[Path], str] = sha256_of) -> dict[str, Any]:
    """Return what `find_change` compares a file with later: its size and SHA-256, as `digest` returns it."""
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def find_change(
    folder: Path, files: Mapping[str, Mapping[str, Any]], digest: Callable[[Path], str] = sha256_of
) -> str | None:
    """Say which of a folder's files is not as it was written, and how; None if every one is.

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
    """Write `content` so that `path` holds either what it held before or all of it.

    A new file gets the permissions that `open` would give it: the umask's, or those of the folder's default ACL. A file
    that was there keeps its permissions and its group. A link is replaced, since in a folder that came from somebody
    else it may lead to any file of the user's. What is no file (a pipe, a terminal) is written to as it is.

    Raises:
        DiskError: the disk is full, broken or read-only.
        LimitError: a limit on files does not allow it.
        RunFolderError: there is a folder in its place.
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

    A group that this user may not give (they are not in it) is lost; the new one may then do what others may.
    """
    mode = stat.S_IMODE(before.st_mode)
    if os.fstat(descriptor).st_gid != before.st_gid:
        try:
            os.fchown(descriptor, -1, before.st_gid)
        except PermissionError:
            mode = mode & ~stat.S_IRWXG | (mode & stat.S_IRWXO) << 3
    with contextlib.suppress(PermissionError):  # some mounts have no permissions
        os.fchmod(descriptor, mode)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each line's object; a last line torn by a kill (no newline, or not JSON) is dropped.

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
            # In a folder from elsewhere the file may be a link to a private one, which no report may quote.
            given = repr(line[:80]) if line.startswith((b"{", b"[")) else "a line that begins with neither { nor ["
            raise ValueError(f"{path}:{number}: expected a JSON object, got {given}") from error
        yield record
