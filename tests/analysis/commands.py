"""The scripts of analysis/ as a user calls them, but in this process, so that libraries are loaded once."""

import contextlib
import io
from collections.abc import Callable, Sequence
from subprocess import CompletedProcess

from sleep_tune import cli

__all__ = ["call"]


def call(main: Callable[[Sequence[str]], int], *arguments: object) -> CompletedProcess[str]:
    """Return the exit code and the output of a script's `main` with these arguments."""
    texts = [str(argument) for argument in arguments]
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = cli.run(main, texts)
    return CompletedProcess(texts, code, out.getvalue(), err.getvalue())
