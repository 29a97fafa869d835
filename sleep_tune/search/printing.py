"""Where a process's output goes: into a file, C code's and libraries' output too, while the terminal stays ours."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

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
                stream.flush()
                os.dup2(descriptor, stream.fileno())
                os.close(descriptor)


@contextlib.contextmanager
def terminal() -> Iterator[TextIO]:
    """Standard output as it is now, whatever it is turned into later (`printing_to`)."""
    assert sys.__stdout__ is not None
    sys.__stdout__.flush()
    with os.fdopen(os.dup(sys.__stdout__.fileno()), "w", encoding="utf-8", errors="replace", buffering=1) as file:
        yield file
