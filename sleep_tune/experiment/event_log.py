"""trials.jsonl: what its lines hold, and how they are read.

A line is an event as a JSON object. Since schema 2 it ends with its number in the file, from 1, and the first 16 digits
of the SHA-256 of every byte before them, from the beginning of the file: a line that is lost, doubled, moved, edited or
from another log is noticed, whichever it is. Lines of schema 1 have neither; a search that was begun with them goes on
with lines of schema 2, whose checksums cover them.

Only bytes after the last newline, and a last line with NUL bytes in it (what a power cut leaves of a line), are no
damage: the line was being written. A log cut off between two lines reads as an earlier one; `search.experiment` notices
that where trials/ holds later trials.

`data` of each event, written by the director (`event_checks` holds the same as code):

| event | data |
|---|---|
| opened | space (its name), study (the space as JSON), budget_words, corpus: {words, samples}, seeds_source (what
  fresh seeds are drawn from) |
| resumed | nothing |
| changed | differences (as text), space (as it is now, as JSON) |
| warmed | source (folder of an earlier experiment), adopted and elsewhere (trials that fit this space, and others) |
| asked | study, number (of the ask, from 0; null for repeats over seeds), parameters, group; enqueued (the point of
  the file that it was asked for), source (the folder that it was taken from) |
| adopted | events: [{event, data}], of which one trial of an earlier experiment consists: asked, report..., its end |
| started | after: null, "resumed" or "lost"; gpus; seconds (spent by the attempts before); killer
  (who killed the attempt before because memory ran out on its machine, or null) |
| paused | reason; outcome (how far it had come; null when it had not begun): it goes on in another attempt |
| report | rung (nominal words), value (of the objective), progress (with every metric) |
| rung | rung, value, decision: "continue" or "stop", reported (arrivals so far), kept, group |
| stopped | reason; outcome (null when the process ended before it could say); seconds; repeats as below |
| completed | value, outcome; repeats (the trial whose result it took) and reason, if it was not trained |
| failed | kind: diverged, out_of_memory, infrastructure, bug; reason; log (path); seconds; outcome, repeats as above |
| refused | kind: budget, config or repeat; reason |
| ended | study, reason: that study asks for no more trials |
| closed | finished: whether the search is over, or only this session; seconds (trial -> spent so far, where the
  log does not say so yet) |
"""

import codecs
import hashlib
import json
import re
from pathlib import Path
from typing import Any

from sleep_tune.errors import RunFolderError, shortened
from sleep_tune.experiment.event_checks import EventChecker
from sleep_tune.records import SCHEMA, Event

__all__ = ["LOG", "LineWriter", "parse_log", "read_events"]

LOG = "trials.jsonl"
"""The event log's name in an experiment folder."""

DIGITS = 16
BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
SEAL = re.compile(rb',"sha256":"([0-9a-f]{%d})"}' % DIGITS)


def read_events(path: Path) -> tuple[Event, ...]:
    """Return every event of a log as it stands, without a torn last line. Needs no lock and writes nothing.

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
    """Makes a log's next lines, each with its number and its checksum."""

    def __init__(self) -> None:
        self.lines = 0
        """Lines so far."""
        self.is_sealed = False
        """Whether any has a checksum; then all that follow must have one."""
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
        """Take in a line that is there already, without its newline, and return its object.

        Raises:
            ValueError: it is not the line that was written here; the message says how.
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
        if schema not in (1, SCHEMA) or type(schema) is not int:
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
        """Take in a line up to its checksum, and return that."""
        self._sha.update(body)
        return self._sha.copy().hexdigest()[:DIGITS].encode()


def _object(line: bytes) -> dict[str, Any]:
    """Return the object that a line holds.

    Raises:
        ValueError: it holds none; the message says what is wrong.
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
    """Return what a line has that editors and converters write and no search does; None if nothing."""
    if line.startswith(BYTE_ORDER_MARKS):
        return "it begins with a byte-order mark, which an editor has added"
    if b"\r" in line:
        return "it has a carriage return, as line ends of Windows have, which an editor or a transfer has added"
    return None


def _damaged(path: Path, number: int, line: bytes, reason: str) -> RunFolderError:
    """Return the error that names a line, what is wrong with it, and what to do."""
    keep = "keep only the lines before it, and the search resumes from there"
    return RunFolderError(
        f"{path}:{number} must be an event of a search as it was written; {reason} (it begins with "
        f"{shortened(repr(line[:60]))}): put the file back from a copy, or "
        f"{keep if number > 1 else 'move the folder away and start the search anew'}"
    )


class _Newer(ValueError):
    """A line of a schema that this version does not know."""


def parse_log(path: Path, content: bytes) -> tuple[tuple[Event, ...], int, LineWriter]:
    """Read a log.

    Args:
        path: of the file, for messages.
        content: all of it.

    Returns:
        Its events; where in `content` the last whole line ends; the writer of the lines that come next.

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
    if (mark := _foreign(content[start:])) is not None:  # not torn: with such line ends, all of the file is one line
        raise _damaged(path, len(events) + 1, content[start:], mark)
    return tuple(events), start, writer
