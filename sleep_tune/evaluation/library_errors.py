"""Errors of transformers as one sentence: what is wrong with a model's folder, and what to do."""

import logging
import pickle
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from sleep_tune.errors import DataError, shortened

__all__ = ["TRUST", "one_sentence"]

TRUST = "--trust-remote-code"
"""Option of the commands of an evaluation that runs the Python files in a folder."""

SHOWN = 3
"""Number of rows of a report in a message."""

PLAIN_ERRORS = (OSError, ValueError, RuntimeError, ImportError)
"""Errors whose message is a sentence; for others the class is given too."""


@contextmanager
def one_sentence(folder: Path, what: str, trust: str = TRUST) -> Iterator[None]:
    """Turn any error that transformers raises inside into a DataError of one sentence.

    Some of its errors point to a report that it only logs; the rows of that report become part of the sentence. Use it
    around calls of transformers only, which raise errors of any class for a broken folder.

    Args:
        folder: the folder that is opened, for the message.
        what: what the folder must hold, for the message.
        trust: the user's option that runs the Python files in the folder, for the message.

    Raises:
        DataError: names the folder and gives the message of transformers.
    """
    logger = logging.getLogger("transformers")
    collected = _LineCollector()
    handlers, level = logger.handlers, logger.level
    logger.handlers = [collected]
    logger.setLevel(logging.WARNING)
    try:
        yield
    except Exception as error:
        raise DataError(
            f"{folder} must hold {what}: {_message(error, trust)}{_report(error, collected.lines)}"
        ) from error
    finally:
        logger.handlers = handlers
        logger.setLevel(level)


class _LineCollector(logging.Handler):
    """Collects the lines that are logged, without colours."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Append the lines of a message."""
        self.lines += re.sub(r"\x1b\[\d+m", "", record.getMessage()).splitlines()


def _message(error: Exception, trust: str) -> str:
    """Return the first sentence of an error, without the lists of valid values that may follow."""
    if isinstance(error, pickle.UnpicklingError):
        return "its weights are damaged, or hold Python objects, which could run code: save them as safetensors"
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    message = " ".join(lines[: 2 if lines[0].endswith(":") else 1])
    if not isinstance(error, PLAIN_ERRORS) and "error" not in message.lower():
        message = f"{type(error).__name__}: {message}"
    return message + (f" ({trust} runs it)" if "trust_remote_code" in str(error) else "")


def _report(error: Exception, lines: Collection[str]) -> str:
    """Return the rows of transformers' report on the weights, if the error points to it."""
    if "report" not in str(error):
        return ""
    rows = [" ".join(line.replace("|", " ").split()) for line in lines if re.search(r"\| [A-Z]{4,} +\|", line)]
    why = [line.strip() for line in lines if re.match(r"\w*(Error|Exception)\b.*: ", line.strip())]
    return f" ({'; '.join(shortened(row, 160) for row in [*rows[:SHOWN], *why[:1]])})"
