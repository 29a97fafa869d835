"""The files of a task, in a folder or a zip with a password, and their lines; errors give file, line and column.

A zip is read in memory, because data that is published under a password must not be written to disk without it.
"""

import json
import math
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from sleep_tune.errors import DataError, nearest, shortened

__all__ = [
    "NUMBER",
    "TEXT",
    "TEXTS",
    "ColumnRule",
    "TaskFile",
    "checked_rows",
    "is_nonblank",
    "read_task_files",
    "text_lines",
]

PASSWORD = b"BabyLM2025"
"""Password of ewok_fast.zip, published in the official pipeline's README; it keeps crawlers out."""

MOST_UNPACKED, MOST_RATIO, ALWAYS_UNPACKED = 256 * 2**20, 100, 16 * 2**20
"""Limits of an unpacked zip: bytes in all, ratio to the zip's own size, and bytes that are allowed at any ratio.

The official zips unpack to some megabytes, 10 to 20 times their size; the ratio of a zip bomb is near 1,000.
"""

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Accepted compression methods; Python unpacks a whole block of the others at once, however large it is."""


@dataclass(frozen=True, slots=True)
class TaskFile:
    """Content of a data file."""

    where: str
    """Path for messages; for a member of a zip, the path of the zip and its own."""
    stem: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """Rule for the values of a column."""

    expected: str
    holds: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    try:
        return not isinstance(value, bool) and math.isfinite(float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def is_nonblank(value: Any) -> bool:
    """Return whether a value is a text that can be tokenized and scored: not blank, and of whole characters.

    A blank text would have the log-probability 0, higher than any other. JSON can encode half a character.
    """
    return isinstance(value, str) and bool(value.strip()) and not any("\ud800" <= one <= "\udfff" for one in value)


TEXT = ColumnRule("a text of whole characters that is not empty", is_nonblank)
NUMBER = ColumnRule("a finite number", _is_number)
TEXTS = ColumnRule(
    "a list of at least two texts, none of them empty",
    lambda value: isinstance(value, list) and len(value) > 1 and all(is_nonblank(one) for one in value),
)


def read_task_files(path: Path, suffix: str) -> list[TaskFile]:
    """Read the files of a task in the order of their names.

    Args:
        path: a folder, or a zip that holds its files under any folders.
        suffix: ending of the names of its files; other files are ignored. '' reads every file that is not hidden.

    Raises:
        DataError: there is no such file, one cannot be read, or the zip has another password or unpacks to too much.
    """
    if path.suffix == ".zip":
        return _read_zip(path, suffix)
    names = sorted(
        file
        for file in path.iterdir()
        if suffix in ("", file.suffix) and file.is_file() and not file.name.startswith(".")
    )
    if not names:
        raise DataError(f"{path} must hold at least one {suffix} file; it holds none")
    return [TaskFile(str(file), file.stem, file.read_bytes()) for file in names]


def _read_zip(path: Path, suffix: str) -> list[TaskFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = _members(path, archive, suffix)
            left = min(MOST_UNPACKED, max(MOST_RATIO * path.stat().st_size, ALWAYS_UNPACKED))
            files = []
            for name, member in members.items():
                content = _unpacked(archive, member, left + 1)
                left -= len(content)
                if left < 0:
                    raise DataError(
                        f"{path} must hold at most {MOST_UNPACKED >> 20} MiB and {MOST_RATIO} times its own size; it "
                        f"holds more: if you trust it, unpack it into {path.with_suffix('')}, which is read instead"
                    )
                files.append(TaskFile(f"{path}/{name}", name.stem, content))
            return files
    except NotImplementedError as error:
        raise _unreadable_method(path, str(error)) from error
    except RuntimeError as error:
        raise DataError(
            f"{path} must have the password of the official README, {PASSWORD.decode()}; it has another ({error}): "
            f"unpack it yourself into {path.with_suffix('')}, which is read instead"
        ) from error
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be a whole zip file: {error}") from error


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> bytes:
    """Return at most `most` bytes of a member, whatever sizes the archive states."""
    try:
        with archive.open(member, pwd=PASSWORD) as file:
            return file.read(most)
    except IndexError as error:  # of zipfile itself
        raise zipfile.BadZipFile("an encrypted file in it is cut short") from error


def _members(path: Path, archive: zipfile.ZipFile, suffix: str) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Return the files of an archive whose names end with `suffix`, in the order of their names.

    Raises:
        DataError: there is none; or one is outside of the archive's folder, a link, there twice or packed by another
            method.
    """
    wanted = [member for member in archive.infolist() if member.filename.endswith(suffix) and not member.is_dir()]
    # A Mac adds files of its own to a zip, under names that begin like this.
    found = [
        (name, member)
        for name, member in ((PurePosixPath(member.filename), member) for member in wanted)
        if not name.name.startswith(".") and "__MACOSX" not in name.parts
    ]
    if not found:
        raise DataError(f"{path} must hold at least one {suffix} file; it holds none")
    seen: dict[str, PurePosixPath] = {}
    for name, member in found:
        shown = shortened(str(name))
        if name.is_absolute() or ".." in name.parts:
            raise DataError(f"{path} must hold files below its own folder; it holds '{shown}'")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise DataError(f"{path} must hold files, not links; '{shown}' is a link")
        if name.name in seen:
            raise DataError(
                f"{path} must hold each file once; it holds '{shortened(str(seen[name.name]))}' and '{shown}'"
            )
        if member.compress_type not in METHODS:
            raise _unreadable_method(path, f"'{shown}' is packed by method {member.compress_type}")
        seen[name.name] = name
    return dict(sorted(found, key=lambda one: one[0].name))


def _unreadable_method(path: Path, why: str) -> DataError:
    return DataError(
        f"{path} must be packed by deflate and encrypted, if at all, by zip's own method (not AES): {why}; unpack it "
        f"yourself into {path.with_suffix('')}, which is read instead"
    )


def text_lines(file: TaskFile) -> Iterator[tuple[int, str]]:
    """Yield each line that is not blank, with its number from 1.

    Raises:
        DataError: the file is empty, or not in UTF-8.
    """
    empty = True
    for number, line in enumerate(file.content.split(b"\n"), 1):
        if not line.strip():
            continue
        empty = False
        try:
            yield number, line.decode().removesuffix("\r")
        except UnicodeDecodeError as error:
            raise DataError(f"{file.where}:{number}:{error.start + 1}: must be UTF-8: {error.reason}") from error
    if empty:
        raise DataError(f"{file.where} must hold at least one item; it is empty")


def checked_rows(
    file: TaskFile, columns: Callable[[Mapping[str, Any]], Mapping[str, ColumnRule]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the object of each line, with its number from 1, after its columns were checked.

    Args:
        file: of JSON lines.
        columns: function from an object to the columns that it must have.

    Raises:
        DataError: a line is cut off or no JSON object, lacks a column, or has something else there; the file is empty.
    """
    for number, line in text_lines(file):
        try:
            row = json.loads(line.strip())
        except json.JSONDecodeError as error:
            cut = " (the line is cut off)" if error.pos >= len(line.strip()) or "Unterminated" in error.msg else ""
            raise DataError(
                f"{file.where}:{number}:{error.colno}: expected a JSON object{cut}; {error.msg}: {_shortened(line)}"
            ) from error
        except (ValueError, RecursionError) as error:
            # Python's own limits: a number of thousands of digits, thousands of brackets.
            raise DataError(f"{file.where}:{number}: expected a JSON object; {error}: {_shortened(line)}") from error
        if not isinstance(row, dict):
            raise DataError(f"{file.where}:{number}:1: expected a JSON object; got {_shortened(line)}")
        for name, column in columns(row).items():
            if name not in row:
                close = nearest(name, row)
                hint = f" (did you mean '{close}'?)" if close else ""
                raise DataError(f"{file.where}:{number}: must have a column '{name}'; it has {sorted(row)}{hint}")
            if not column.holds(row[name]):
                raise DataError(
                    f"{file.where}:{number}: column '{name}' must be {column.expected}; got {_shortened(row[name])}"
                )
        yield number, row


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]} ... {text[-10:]}"
