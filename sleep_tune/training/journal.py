"""The record of a run, metrics.jsonl: an object a line, of kind train, sleep or eval. Knows no meaning of them."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sleep_tune.errors import RunFolderError
from sleep_tune.files import write_whole

__all__ = ["Journal", "Listener"]

Listener = Callable[[int, Mapping[str, Any]], None]
"""Told of each line when it has been written: its number in the file, from 0, and what it says."""


class Journal:
    """Lines appended as they come, each at once; a `listener` is told of each.

    A resumed run first cuts the file to what its checkpoint knew, so that no line is there twice. It does so in a new
    file: a process that was given up for dead goes on writing into the old one. Lines that somebody has changed or
    removed since are put back, with a warning.

    Attributes:
        content: every line so far, as bytes.
    """

    def __init__(self, path: Path, *, kept: bytes = b"", writes: bool = True) -> None:
        """Open the file for one attempt of the run.

        Args:
            path: the file.
            kept: what the run's checkpoint knew of it; nothing begins anew.
            writes: False for a process that leads no run: it keeps silent.

        Raises:
            RunFolderError: a folder is in its place.
        """
        self._file = None
        self._lines = 0
        self.content = bytearray()
        self.listener: Listener = _nobody
        if writes:
            if path.is_dir():
                raise RunFolderError(f"{path} must be the file of the run's record; it is a folder: remove it")
            there = path.read_bytes() if path.exists() else b""
            if not there.startswith(kept):
                logging.getLogger(__name__).warning(
                    "%s no longer begins with the %s bytes that the run's checkpoint knows: they are put back",
                    *(path, f"{len(kept):,}"),
                )
            self._lines = kept.count(b"\n")
            self.content += kept
            write_whole(path, kept)
            self._file = path.open("ab", buffering=0)

    def __enter__(self) -> "Journal":
        """The journal itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def write(self, kind: str, values: dict[str, Any]) -> None:
        """Append a line: `kind`, then `values`."""
        if self._file is not None:
            record = {"kind": kind} | values
            text = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
            line = text.encode("utf-8", "backslashreplace") + b"\n"  # half a surrogate pair stays JSON
            self._file.write(line)
            self.content += line
            self.listener(self._lines, record)
            self._lines += 1


def _nobody(number: int, line: Mapping[str, Any]) -> None:
    """Nobody listens."""
