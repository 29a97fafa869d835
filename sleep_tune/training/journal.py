"""The record of a run, metrics.jsonl: an object a line, of kind train, sleep or eval. Knows no meaning of them."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from sleep_tune.files import write_whole

__all__ = ["Journal", "Listener"]

Listener = Callable[[int, Mapping[str, Any]], None]
"""Told of each line when it has been written: its number in the file, from 0, and what it says."""


class Journal:
    """Lines appended as they come, each at once; a `listener` is told of each.

    A resumed run first cuts the file to what its checkpoint knew, so that no line is there twice. It does so in a new
    file: a process that was given up for dead goes on writing into the old one.
    """

    def __init__(self, path: Path, *, keep: int = 0, writes: bool = True) -> None:
        """Open the file for one attempt of the run.

        Args:
            path: the file.
            keep: bytes of it to keep; 0 begins anew.
            writes: False for a process that leads no run: it keeps silent.
        """
        self._file = None
        self._lines = 0
        self.listener: Listener = _nobody
        if writes:
            kept = path.read_bytes()[:keep] if keep else b""
            self._lines = kept.count(b"\n")
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

    @property
    def size(self) -> int:
        """Bytes so far."""
        return 0 if self._file is None else self._file.tell()

    def write(self, kind: str, values: dict[str, Any]) -> None:
        """Append a line: `kind`, then `values`."""
        if self._file is not None:
            record = {"kind": kind} | values
            line = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
            self._file.write(line.encode() + b"\n")
            self.listener(self._lines, record)
            self._lines += 1


def _nobody(number: int, line: Mapping[str, Any]) -> None:
    """Nobody listens."""
