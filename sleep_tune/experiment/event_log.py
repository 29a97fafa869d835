"""trials.jsonl, the event log of a search: reading it, and appending to it.

A line is an event as a JSON object (`event_schema`). Since schema 2 it ends with its number in the file, from 1, and
the first 16 digits of the SHA-256 of every byte before them, from the beginning of the file. So a line that is missing,
repeated, moved, edited or from another log is always detected. Lines of schema 1 have neither; a search that began with
them continues with lines of the present schema, whose checksums cover the old lines too.

Lines of schemas 2 and 3 look the same. Schema 3 came with planned looks, paused trials and the reserve for added seeds:
earlier versions would judge such a study by another significance level, so they must refuse its log.

Bytes after the last newline, and a last line that holds NUL bytes (as a power cut can leave it), are not an error: the
line was being written. A log cut off between two lines reads as an earlier log; `search.decide` detects that when
trials/ holds later trials.
"""

import codecs
import contextlib
import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any, Protocol

from sleep_tune.errors import RunFolderError, UserError, shortened
from sleep_tune.experiment.event_schema import EventChecker
from sleep_tune.files import sync_folder, writing
from sleep_tune.records import SCHEMA, Event

__all__ = ["LOG", "EventLog", "LineWriter", "Log", "parse_log", "read_events"]

LOG = "trials.jsonl"
"""The event log's name in an experiment folder."""

DIGITS = 16
BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SEAL = re.compile(rb',"sha256":"([0-9a-f]{%d})"}' % DIGITS)


def read_events(path: Path) -> tuple[Event, ...]:
    """Return every event of a log, without an incomplete last line. Takes no lock and writes nothing.

    Raises:
        RunFolderError: there is no such file, it cannot be read, or a line is not as it was written; the message names
            the line. Or a newer version wrote it.
    """
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise RunFolderError(f"{path.parent} must be the folder of a search; got no {path.name} in it") from None
    except OSError as error:
        raise RunFolderError(f"{path} must be a file that can be read ({error.strerror})") from error
    return parse_log(path, content)[0]


class LineWriter:
    """Encoder and verifier of a log's lines: it keeps their count and the running checksum."""

    def __init__(self) -> None:
        self.lines = 0
        """Lines so far."""
        self.is_sealed = False
        """Whether any line has a checksum; then all later lines must have one."""
        self._sha = hashlib.sha256()

    def line(self, event: Event) -> bytes:
        """Return the next line, with its newline."""
        values = event.to_json() | {"number": self.lines + 1}
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        body = text.encode("utf-8", "backslashreplace").removesuffix(b"}")  # half a surrogate pair stays JSON
        line = b'%s,"sha256":"%s"}\n' % (body, self._digest(body))
        self._sha.update(line[len(body) :])
        self.lines, self.is_sealed = self.lines + 1, True
        return line

    def take(self, line: bytes) -> dict[str, Any]:
        """Verify the next line of an existing log, given without its newline, and return its object.

        Raises:
            ValueError: it is not the line that was written at this place; the message says why.
            RecursionError: it is nested too deep to be read.
        """
        seal = SEAL.fullmatch(line[-len(',"sha256":""}') - DIGITS :])
        body = line if seal is None else line[: -len(seal[0])]
        digest = self._digest(body)
        values = _object(line)
        schema, number = values.pop("schema", None), values.pop("number", None)
        values.pop("sha256", None)
        if type(schema) is int and schema > SCHEMA:
            raise _Newer(f"its schema is {schema}, and this version reads up to {SCHEMA}: update sleep-tune")
        if type(schema) is not int or schema < 1:
            raise ValueError(f"its schema is {schema}, and this version reads 1 to {SCHEMA}")
        if schema == 1 and self.is_sealed:
            raise ValueError("a line without a checksum follows lines that have one")
        if schema > 1:
            if number != self.lines + 1:
                raise ValueError(f"it was written as line {number}: lines are missing, doubled or in another order")
            if seal is None or seal[1] != digest:
                raise ValueError("its checksum is another: this line or one before it is not as it was written")
        self._sha.update(line[len(body) :] + b"\n")
        self.lines, self.is_sealed = self.lines + 1, schema > 1
        return values

    def _digest(self, body: bytes) -> bytes:
        """Add a line, up to its checksum, to the running checksum, and return that."""
        self._sha.update(body)
        return self._sha.copy().hexdigest()[:DIGITS].encode()


def _object(line: bytes) -> dict[str, Any]:
    """Return the object that a line holds.

    Raises:
        ValueError: it holds no object; the message says why.
        RecursionError: it is nested too deep to be read.
    """
    if (mark := _foreign(line)) is not None:
        raise ValueError(mark)
    try:
        values = json.loads(line)
    except ValueError:
        raise ValueError("it is not JSON" if line.strip() else "it is empty") from None
    if not isinstance(values, dict):
        raise ValueError("it is not an object")
    return values


def _foreign(line: bytes) -> str | None:
    """Return which mark of an editor or a converter a line has; None if it has none."""
    if line.startswith(BYTE_ORDER_MARKS):
        return "it begins with a byte-order mark, which an editor has added"
    if b"\r" in line:
        return "it has a carriage return, as line ends of Windows have, which an editor or a transfer has added"
    return None


def _damaged(path: Path, number: int, line: bytes, reason: str) -> RunFolderError:
    """Return the error for a line: where it is, what is wrong with it, what to do."""
    keep = "keep only the lines before it, and the search resumes from there"
    return RunFolderError(
        f"{path}:{number} must be an event of a search as it was written; {reason} (it begins with "
        f"{shortened(repr(line[:60]))}): put the file back from a copy, or "
        f"{keep if number > 1 else 'move the folder away and start the search anew'}"
    )


class _Newer(ValueError):
    """A line of a newer schema."""


def parse_log(path: Path, content: bytes) -> tuple[tuple[Event, ...], int, LineWriter]:
    """Read a log.

    Args:
        path: of the file, for messages.
        content: all of it.

    Returns:
        Its events; where in `content` the last complete line ends; the encoder of the next lines.

    Raises:
        RunFolderError: a line is not as it was written, or a newer version wrote it; the message names the line.
    """
    events: list[Event] = []
    start = 0
    writer, checker = LineWriter(), EventChecker()
    while (end := content.find(b"\n", start)) >= 0:
        line = content[start:end]
        if end + 1 == len(content) and b"\0" in line:
            break
        try:
            events.append(checker.check(writer.take(line)))
        except _Newer as error:
            raise RunFolderError(
                f"{path}:{len(events) + 1} was written by a newer version of sleep-tune: {error}"
            ) from None
        except (ValueError, RecursionError) as error:
            raise _damaged(path, len(events) + 1, line, str(error)) from error
        start = end + 1
    if (mark := _foreign(content[start:])) is not None:  # with such line ends, all of the file is one line
        raise _damaged(path, len(events) + 1, content[start:], mark)
    return tuple(events), start, writer


class Log(Protocol):
    """Store of a search's events. `EventLog` is a file; the simulator uses a list."""

    events: tuple[Event, ...]
    """Events that it held when it was opened."""

    def append(self, event: Event) -> None:
        """Store one event."""

    def close(self) -> None:
        """Release what it holds."""


class EventLog:
    """Append-only file of events. The caller must hold the folder's lock (`folder_lock`).

    Opening reads every complete line and changes nothing; the first event that is appended replaces an incomplete last
    line. After a line could not be written, no other is written: the part that was written is cut off, or remains as an
    incomplete last line.

    Args:
        path: the file; made if absent, its folder must exist.

    Raises:
        RunFolderError: a line is not as it was written, or the file cannot be opened.
        DiskError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._failure: UserError | None = None
        is_new = not path.exists()
        try:
            self._file = path.open("a+b", buffering=0)
        except (PermissionError, IsADirectoryError) as error:
            raise RunFolderError(f"{path} must be a file that can be written ({error.strerror})") from error
        try:
            with writing(path):
                if is_new:
                    sync_folder(path.parent)
                self._file.seek(0)
                content = self._file.read()
                self.events, self._end, self._writer = parse_log(path, content)
                self._size = len(content)
        except BaseException:
            self._file.close()
            raise

    def append(self, event: Event) -> None:
        """Write one event and sync it to the disk.

        Raises:
            DiskError: the disk is full or cannot be written, in this call or an earlier one.
            LimitError: a limit on files does not allow it.
            RunFolderError: the file has been moved, removed or changed by another process.
        """
        if self._failure is not None:
            raise self._failure
        self._require_place()
        line = self._writer.line(event)
        end = self._end + len(line)
        try:
            with writing(self.path):
                if self._size > self._end:
                    self._file.truncate(self._end)
                while line:
                    line = line[self._file.write(line) :]
                os.fsync(self._file.fileno())
        except UserError as error:
            self._failure = error
            with contextlib.suppress(OSError):
                self._file.truncate(self._end)
            raise
        self._end = self._size = end

    def close(self) -> None:
        """Close the file; every event was synced when it was appended."""
        self._file.close()

    def _require_place(self) -> None:
        """Check that the file is still in its place, and that no other process has written to it."""
        file, problem = os.fstat(self._file.fileno()), None
        try:
            if not os.path.samestat(self.path.stat(), file):
                raise FileNotFoundError
            if file.st_size != self._size:
                problem = "be written by no other process; another process has changed it: end that process"
        except FileNotFoundError:
            problem = "stay where it is; it has been moved or removed: put it back"
        if problem is not None:
            self._failure = RunFolderError(
                f"{self.path} must, while its search runs, {problem}, and run the search again; it resumes from what "
                "the file holds"
            )
            raise self._failure

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
