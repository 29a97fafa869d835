"""What both commands share: a mistake of the user's ends in one message and exit code 2, never in a traceback.

Knows no command's arguments.
"""

import contextlib
import io
import logging
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sleep_tune.errors import Superseded, TrialFailure, UserError, refusal
from sleep_tune.interrupts import Interrupts, catching
from sleep_tune.plain_text import visible

__all__ = ["FAILED", "INTERRUPTED", "MISTAKE", "run", "say", "telling"]

FAILED, MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit codes: the run cannot go on; the user's mistake; Ctrl-C. Another signal's is 128 + its number."""


def run(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Call `main` with the command line's arguments and return its exit code.

    A UserError becomes its message on standard error and 2 (a full disk, a limit on files or a file that is closed to
    the user too, wherever it was noticed), a TrialFailure or Superseded its message and 1, a signal 128 + its number
    and a last line (`Interrupts.farewell`), and a reader that closed the pipe (`--help | head`) 0. Everything else is
    our bug and keeps its traceback.
    """
    _complete_streams()
    with catching() as interrupts:
        code = _run(main, arguments, interrupts)
        if interrupts.number is not None and code == 128 + interrupts.number:
            say(interrupts.last_line())
    return code


def _run(main: Callable[[Sequence[str]], int], arguments: Sequence[str], interrupts: Interrupts) -> int:
    try:
        _require_directory()
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
        if isinstance(error, PermissionError) and error.filename is not None:
            say(f"error: {error.filename} must be open to this user; it is not ({error.strerror})")
            return MISTAKE
        refused = refusal(error, str(error.filename or "the results"))
        if refused is None:
            raise
        say(f"error: {refused}")
        return MISTAKE


def _complete_streams() -> None:
    """Open on nothing the standard streams that this process was started without (`>&-`).

    The next file that is opened would take the place of one, and what libraries print would go there. Characters that
    the terminal's encoding lacks are printed as question marks.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest number that is free: this one
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            stream = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _require_directory() -> None:
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UserError("the working directory must exist; it has been removed: change to another") from None


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
    with contextlib.suppress(OSError):  # the terminal has been closed
        print(visible(message), file=sys.stderr, flush=True)  # noqa: T201 - this is the one place that talks


class _Sayer(logging.Handler):
    """Says each record's message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message, without time or level: a log file has those."""
        say(record.getMessage())


@contextlib.contextmanager
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
