"""trials.jsonl, the search's memory: appended and synced line by line, read back after any kill.

Knows nothing of what the events mean. `data` of each event, written by the director:

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
| started | after: null, "resumed" or "lost"; gpus; seconds (spent by the attempts before) |
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

import contextlib
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Protocol

from sleep_tune.errors import RunFolderError
from sleep_tune.files import sync_folder
from sleep_tune.records import SCHEMA, Event

__all__ = ["EventLog", "Log", "read_events"]


def read_events(path: Path) -> tuple[Event, ...]:
    """Every event of a log as it stands, a torn last line left out. Needs no lock and writes nothing.

    Raises:
        RunFolderError: there is no such file, a line before the last is no event, or a newer version wrote it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RunFolderError(f"{path.parent} must be the folder of a search; got no {path.name} in it") from None
    return _parsed(path, content)[0]


class Log(Protocol):
    """Where a search's events go, and what was there before. The simulator keeps them in a list instead of a file."""

    events: tuple[Event, ...]
    """What was there when it was opened."""

    def append(self, event: Event) -> None:
        """Keep one event."""

    def close(self) -> None:
        """Let go."""


class EventLog:
    """An append-only file of events. Whoever opens it holds the folder's lock (`folder_lock`).

    Opening it reads every whole line and cuts off a torn last one, so that what is appended starts a line of its own.

    Args:
        path: the file; made if absent, its folder must exist.

    Raises:
        RunFolderError: a line before the last is no event, or a newer version of sleep-tune wrote it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        is_new = not path.exists()
        with contextlib.ExitStack() as stack:
            self._file = stack.enter_context(path.open("a+b"))
            if is_new:
                sync_folder(path.parent)
            self.events = self._read()
            stack.pop_all()

    def append(self, event: Event) -> None:
        """Write one event; on return the disk has it."""
        line = json.dumps(event.to_json(), ensure_ascii=False, separators=(",", ":")) + "\n"
        self._file.write(line.encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file. Nothing is pending: every event was synced when it was appended."""
        self._file.close()

    def __enter__(self) -> "EventLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> tuple[Event, ...]:
        self._file.seek(0)
        content = self._file.read()
        events, end = _parsed(self.path, content)
        if end < len(content):
            self._file.truncate(end)
            os.fsync(self._file.fileno())
        return events


def _parsed(path: Path, content: bytes) -> tuple[tuple[Event, ...], int]:
    """The events of a log, and where the last whole line ends."""
    events = []
    start = 0
    while (end := content.find(b"\n", start)) >= 0:
        try:
            events.append(_parse(content[start:end]))
        except (ValueError, TypeError) as error:
            if end + 1 < len(content):
                raise RunFolderError(
                    f"{path}:{len(events) + 1}: expected an event of a search (schema {SCHEMA}), "
                    f"got {content[start:end][:80]!r} ({error})"
                ) from error
            break
        start = end + 1
    return tuple(events), start


def _parse(line: bytes) -> Event:
    values = json.loads(line)
    if not isinstance(values, dict):
        raise TypeError("not an object")
    if values.get("schema") != SCHEMA:
        raise ValueError(f"schema is {values.get('schema')}, this version reads {SCHEMA}")
    return Event.from_json(values)
