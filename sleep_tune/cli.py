"""What both commands share: a mistake of the user's ends in one message and exit code 2, never in a traceback.

Knows no command's arguments.
"""

import errno
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from sleep_tune.errors import Superseded, TrialFailure, UserError
from sleep_tune.interrupts import Interrupts, catching
from sleep_tune.plain_text import visible

__all__ = ["FAILED", "INTERRUPTED", "MISTAKE", "TERMINATED", "run", "say", "telling"]

FAILED, MISTAKE, INTERRUPTED, TERMINATED = 1, 2, 130, 143
"""Exit codes: the run cannot go on; the user's mistake; Ctrl-C; SIGTERM."""


def run(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Call `main` with the command line's arguments and return its exit code.

    A UserError becomes its message on standard error and 2 (a full disk too, wherever it was noticed), a TrialFailure
    or Superseded its message and 1, a signal 128 + its number and a last line (`Interrupts.farewell`), and a reader
    that closed the pipe (`--help | head`) 0. Everything else is our bug and keeps its traceback.
    """
    with catching() as interrupts:
        code = _run(main, arguments, interrupts)
        if interrupts.number is not None and code == 128 + interrupts.number:
            say(interrupts.last_line())
    return code


def _run(main: Callable[[Sequence[str]], int], arguments: Sequence[str], interrupts: Interrupts) -> int:
    try:
        code = main(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit:
        if not interrupts.have_come() or interrupts.number is None:
            raise
        return 128 + interrupts.number
    except UserError as error:
        say(_fitted(f"error: {error}"))
        return MISTAKE
    except (TrialFailure, Superseded) as error:
        say(f"failed: {error}")
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter would complain at exit
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        say(f"error: the disk must have room for {error.filename or 'the results'}; it is full")
        return MISTAKE


def _fitted(message: str) -> str:
    """The message with lines that a terminal would break broken between words, and what follows indented."""
    if not sys.stderr.isatty():
        return message
    columns = shutil.get_terminal_size().columns
    fitted: list[str] = []
    for line in message.splitlines():
        indent = " " * (len(line) - len(line.lstrip()) + 4)
        parts = textwrap.wrap(line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        fitted += parts or [""]
    return "\n".join(fitted)


def say(message: str) -> None:
    """Print a line for people on standard error, where it does not mix with output."""
    print(visible(message), file=sys.stderr, flush=True)  # noqa: T201 - this is the one place that talks


class _Sayer(logging.Handler):
    """Says each record's message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message, without time or level: a log file has those."""
        say(record.getMessage())


@contextmanager
def telling(name: str) -> Iterator[None]:
    """Print what the logger `name` logs at INFO or above, wherever else it is logged: each step that takes long."""
    logger, handler = logging.getLogger(name), _Sayer()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
