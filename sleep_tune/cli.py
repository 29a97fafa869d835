"""The frame of every command: signals, exit codes, and one message instead of a traceback for a user's mistake."""

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

__all__ = ["FAILED", "INTERRUPTED", "MISTAKE", "echo_log", "run", "say"]

FAILED, MISTAKE, INTERRUPTED = 1, 2, 130
"""Exit codes: the run failed; the user made a mistake; Ctrl-C. For another signal it is 128 + its number."""


def run(main: Callable[[Sequence[str]], int], arguments: Sequence[str]) -> int:
    """Call `main` with the command line's arguments and return its exit code.

    | what ended `main` | on standard error | code |
    |---|---|---|
    | UserError, a full disk, a limit on files, a file that this user may not open | its message | 2 |
    | TrialFailure, Superseded | its message | 1 |
    | a signal | how to resume (`Interrupts.farewell`) | 128 + its number |
    | a reader that closed the pipe (`--help | head`) | | 0 |
    | any other error, which is a bug | a traceback | 1 |
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
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python would print an error at exit
        return 0
    except OSError as error:
        if isinstance(error, PermissionError) and error.filename is not None:
            say(f"error: this user must be allowed to open {error.filename}; got: {error.strerror}")
            return MISTAKE
        refused = refusal(error, str(error.filename or "the results"))
        if refused is None:
            raise
        say(f"error: {refused}")
        return MISTAKE


def _complete_streams() -> None:
    """Open /dev/null as each standard stream that this process was started without (`>&-`).

    Otherwise the next file that is opened would become that stream, and output of libraries would go there. Characters
    that the terminal's encoding lacks are printed as question marks.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free number, which is this one
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
    """Return the message with long lines wrapped between words for a terminal, and indented."""
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
    """Print a line on standard error, where it does not mix with the output."""
    with contextlib.suppress(OSError):  # the terminal has been closed
        print(visible(message), file=sys.stderr, flush=True)  # noqa: T201 - the one place that prints


class _Echo(logging.Handler):
    """Handler that prints each record's message."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message without time and level, which are in the log file."""
        say(record.getMessage())


@contextlib.contextmanager
def echo_log(name: str) -> Iterator[None]:
    """Also print what the logger `name` logs at INFO or above: the steps that take long."""
    logger, handler = logging.getLogger(name), _Echo()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
