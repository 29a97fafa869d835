"""Files that are never half-written: whole (temporary file, fsync, rename) or appended line by line."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import DiskError

__all__ = [
    "append_json_line",
    "expanded",
    "find_change",
    "fingerprint",
    "read_json_lines",
    "require_space",
    "sha256_of",
    "sync_folder",
    "sync_tree",
    "write_whole",
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

    A link stays, and what it leads to is written. What is no file (a pipe, a terminal) is written to as it is.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():
        path.write_bytes(data)
        return
    path = path.resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_json_line(path: Path, record: dict[str, Any], *, sync: bool = False) -> None:
    """Append one JSON object as a line, in one write; with `sync`, wait until the disk has it."""
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"
    with path.open("ab") as file:
        file.write(line.encode())
        file.flush()
        if sync:
            os.fsync(file.fileno())


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
        except (ValueError, TypeError) as error:
            if number == len(lines) and not torn:
                return
            raise ValueError(f"{path}:{number}: expected a JSON object, got {line[:80]!r}") from error
        yield record
