"""Where a process's output goes: into a file, C code's and libraries' output too, while the terminal stays ours."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from sleep_tune.errors import REFUSALS

__all__ = ["printing_to", "terminal"]


@contextlib.contextmanager
def printing_to(log: Path) -> Iterator[None]:
    """Send what this process and the processes that it starts print to the end of `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    streams = [stream for stream in (sys.__stdout__, sys.__stderr__) if stream is not None]
    kept = [os.dup(stream.fileno()) for stream in streams]
    with log.open("a", encoding="utf-8") as file:
        for stream in streams:
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
        try:
            yield
        finally:
            for stream, descriptor in zip(streams, kept, strict=True):
                _flush(stream)
                os.dup2(descriptor, stream.fileno())
                os.close(descriptor)


def _flush(stream: TextIO) -> None:
    """Write what a stream still holds; what the disk has no room for is dropped."""
    try:
        stream.flush()
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        stream.flush()  # else it would be printed once the stream is the terminal again


GONE = (errno.EPIPE, errno.EIO)
"""What a write says where nobody can read it any more: a closed pipe, a closed terminal."""


class _Watched(io.FileIO):
    """A file whose reader may go: from then on nothing is written."""

    def __init__(self, descriptor: int, pipe_closed: Callable[[], None]) -> None:
        super().__init__(descriptor, "w")
        self._pipe_closed = pipe_closed

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in GONE:
                raise
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - no path of ours
                os.dup2(nothing.fileno(), self.fileno())
            if error.errno == errno.EPIPE:
                self._pipe_closed()
            return len(data)


@contextlib.contextmanager
def terminal(pipe_closed: Callable[[], None] = lambda: None) -> Iterator[TextIO]:
    """Standard output as it is now, whatever it is turned into later (`printing_to`).

    Where nobody can read it any more, writing to it does nothing.

    Args:
        pipe_closed: called once, at the first write into a pipe that its reader has closed (`| head`). A closed
            terminal sends a signal of its own.
    """
    assert sys.__stdout__ is not None
    sys.__stdout__.flush()
    raw = _Watched(os.dup(sys.__stdout__.fileno()), pipe_closed)
    buffered = io.BufferedWriter(raw)
    with io.TextIOWrapper(buffered, encoding="utf-8", errors="replace", line_buffering=True) as file:
        yield file
