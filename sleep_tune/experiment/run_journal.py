"""metrics.jsonl as it is read: what the lines of a run's journal hold (`training.journal` writes them).

A line whose values are of another type would be found out only where they are drawn, added up or sent to a tracker.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import DataError, shortened
from sleep_tune.files import read_json_lines
from sleep_tune.records import is_count, is_number

__all__ = ["find_mistake", "read_journal_lines"]


def _amount(value: Any) -> bool:
    return is_number(value) and abs(value) < 2**63 if isinstance(value, int) else is_number(value)


def _optional_amount(value: Any) -> bool:
    return value is None or _amount(value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _amounts(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_amount, value.values()))


def _counts(value: Any) -> bool:
    return isinstance(value, list) and all(map(is_count, value))


def _examples(value: Any) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(one, Mapping) for one in value))


CHECKS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("words_seen", "updates", "cycle", "pass_index", "fold", "read_ratio", "seconds"), _amount),
    **dict.fromkeys(("buffer_size", "candidates", "words", "batches", "took", "rung"), _amount),
    **dict.fromkeys(("loss", "loss/wake", "loss/sleep", "learning_rate", "mean_score", "mean_age"), _optional_amount),
    **dict.fromkeys(("phase", "split", "kind"), _text),
    **dict.fromkeys(("metrics", "sources"), _amounts),
    "exposures": _counts,
    "examples": _examples,
}
"""Key -> what its value must be, in whichever kind of line."""

NEEDED = {
    "train": ("words_seen",),
    "sleep": ("cycle", "sources", "exposures"),
    "eval": ("words_seen", "metrics"),
}
"""Kind of a line -> what it must have."""


def find_mistake(line: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a line's object; None if nothing is, or if it is of a kind unknown here."""
    for key, check in CHECKS.items():
        if key in line and not check(line[key]):
            return f"'{key}' cannot be {shortened(repr(line[key]))}"
    for key in ("kind", *NEEDED.get(str(line.get("kind")), ())):
        if key not in line:
            return f"'{key}' is missing"
    return None


def read_journal_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each line of a journal; a last line torn by a kill is left out.

    Raises:
        DataError: a line is none of a journal; the message names it.
    """
    try:
        for number, line in enumerate(read_json_lines(path), 1):
            mistake = find_mistake(line)
            if mistake is not None:
                raise DataError(f"{path}:{number} is no line of a run's journal: {mistake}")
            yield line
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from error
