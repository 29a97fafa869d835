"""Writer of a search's event log: each line is appended and synced before the search acts on it."""

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Protocol

from sleep_tune.errors import RunFolderError, UserError
from sleep_tune.experiment.event_log import parse_log
from sleep_tune.files import sync_folder, writing
from sleep_tune.records import Event

__all__ = ["EventLog", "Log"]


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

    Opening it reads every whole line and changes nothing; the first event that is appended replaces a torn last line.
    Once a line could not be written, no other is: what was written of it is cut off, or is a torn last line.

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
        """Write one event; on return the disk has it.

        Raises:
            DiskError: the disk is full or cannot be written, now or since an earlier call.
            LimitError: a limit on files does not allow it.
            RunFolderError: the file has been moved, removed or changed, so that nobody could read the event.
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
        """Close the file. Nothing is pending: every event was synced when it was appended."""
        self._file.close()

    def _require_place(self) -> None:
        """Check that the file is still in its place, and that nobody else has written to it since."""
        file, problem = os.fstat(self._file.fileno()), None
        try:
            if not os.path.samestat(self.path.stat(), file):
                raise FileNotFoundError
            if file.st_size != self._size:
                problem = "be written by nobody else; another process has changed it: end that process"
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
