"""The journal of a run, metrics.jsonl: one JSON object per line, of kind train, phase, sleep or eval."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import RunFolderError
from sleep_tune.files import write_whole

__all__ = ["Journal", "Listener"]

Listener = Callable[[int, Mapping[str, Any]], None]
"""Called with each line after it has been written: its number in the file, from 0, and its content."""


class Journal:
    """Appends each line at once, and passes it to `listener`.

    A resumed run first cuts the file back to its content at the checkpoint, so that no line is there twice. It writes a
    new file for that: a process that was presumed lost continues to write into the old one. Lines that have been
    changed or removed since are restored, with a warning.

    Attributes:
        content: all lines so far, as bytes.
        listener: called with each new line.
    """

    def __init__(self, path: Path, *, kept: bytes = b"", writes: bool = True) -> None:
        """Open the file for one attempt of the run.

        Args:
            path: the file.
            kept: content of the file at the checkpoint; empty at the beginning.
            writes: False in a process that is not the leader: nothing is written.

        Raises:
            RunFolderError: there is a folder of that name.
        """
        self._file = None
        self._lines = 0
        self.content = bytearray()
        self.listener: Listener = _ignore
        if writes:
            if path.is_dir():
                raise RunFolderError(f"{path} must be the file of the run's journal; it is a folder: remove it")
            there = path.read_bytes() if path.exists() else b""
            if not there.startswith(kept):
                logging.getLogger(__name__).warning(
                    "%s no longer begins with the %s bytes that it had at the run's checkpoint: they are restored",
                    *(path, f"{len(kept):,}"),
                )
            self._lines = kept.count(b"\n")
            self.content += kept
            write_whole(path, kept)
            self._file = path.open("ab", buffering=0)

    def __enter__(self) -> "Journal":
        """Return the journal itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def write(self, kind: str, values: dict[str, Any]) -> None:
        """Append a line: `kind`, then `values`, which must be JSON-able."""
        if self._file is not None:
            record = {"kind": kind} | values
            text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
            line = text.encode("utf-8", "backslashreplace") + b"\n"  # half a surrogate pair stays JSON
            self._file.write(line)
            self.content += line
            self.listener(self._lines, record)
            self._lines += 1


def _ignore(number: int, line: Mapping[str, Any]) -> None:
    """Do nothing: the listener of a run without trackers."""
