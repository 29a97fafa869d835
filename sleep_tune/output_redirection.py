"""Redirection of all output of a process to a file, and access to the terminal meanwhile."""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TextIO

from sleep_tune.errors import REFUSALS

__all__ = ["redirect_output", "terminal"]


@contextlib.contextmanager
def redirect_output(log: Path) -> Iterator[None]:
    """Append what this process, its libraries, C code and child processes print to `log`.

    This includes what Python prints where `sys.stdout` or `sys.stderr` was replaced, as in a notebook.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    streams = [stream for stream in (sys.__stdout__, sys.__stderr__) if stream is not None]
    kept = [os.dup(stream.fileno()) for stream in streams]
    with log.open("a", encoding="utf-8") as file:
        for stream in streams:
            stream.flush()
            os.dup2(file.fileno(), stream.fileno())
        try:
            with _replaced_streams(file):
                yield
        finally:
            _flush(file)
            for stream, descriptor in zip(streams, kept, strict=True):
                _flush(stream)
                os.dup2(descriptor, stream.fileno())
                os.close(descriptor)


@contextlib.contextmanager
def _replaced_streams(file: TextIO) -> Iterator[None]:
    """Send to `file` what is printed to standard streams that do not write to the process's own."""
    with contextlib.ExitStack() as stack:
        if _is_replaced(sys.stdout, sys.__stdout__):
            stack.enter_context(contextlib.redirect_stdout(file))
        if _is_replaced(sys.stderr, sys.__stderr__):
            stack.enter_context(contextlib.redirect_stderr(file))
        yield


def _is_replaced(stream: TextIO | None, original: TextIO | None) -> bool:
    """Return whether a standard stream writes elsewhere than the process's own, as in a notebook."""
    if stream is None or original is None or stream is original:
        return False
    try:
        return stream.fileno() != original.fileno()
    except (OSError, ValueError, AttributeError):  # it is no file
        return True


def _flush(stream: TextIO) -> None:
    """Write what a stream has buffered; drop it if the disk is full."""
    try:
        stream.flush()
    except OSError as error:
        if error.errno not in REFUSALS:
            raise
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), stream.fileno())
        stream.flush()  # else it would be printed when the stream is the terminal again


GONE = (errno.EPIPE, errno.EIO)
"""Errors of a write to a closed pipe or a closed terminal."""


class _Watched(io.FileIO):
    """A file whose reader may close it; later writes do nothing."""

    def __init__(self, descriptor: int, pipe_closed: Callable[[], None]) -> None:
        super().__init__(descriptor, "w")
        self._pipe_closed = pipe_closed

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in GONE:
                raise
            with open(os.devnull, "wb") as nothing:  # noqa: PTH123 - a device, not a path
                os.dup2(nothing.fileno(), self.fileno())
            if error.errno == errno.EPIPE:
                self._pipe_closed()
            return len(data)


@contextlib.contextmanager
def terminal(pipe_closed: Callable[[], None] = lambda: None) -> Iterator[TextIO]:
    """Return a file that writes to the present standard output, even after `redirect_output`.

    When the reader has closed it, writing does nothing. Where `sys.stdout` was replaced, as in a notebook, that is the
    file.

    Args:
        pipe_closed: called once, at the first write into a pipe that its reader has closed (`| head`), but not for a
            closed terminal, which sends a signal.
    """
    if _is_replaced(sys.stdout, sys.__stdout__):
        yield sys.stdout
        return
    assert sys.__stdout__ is not None
    sys.__stdout__.flush()
    raw = _Watched(os.dup(sys.__stdout__.fileno()), pipe_closed)
    buffered = io.BufferedWriter(raw)
    with io.TextIOWrapper(buffered, encoding="utf-8", errors="replace", line_buffering=True) as file:
        yield file
