"""Reading of metrics.jsonl, the journal of a run: the schema of its lines (`training.journal` writes them)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.errors import DataError, shortened
from sleep_tune.experiment.json_checks import Check, is_measure, is_text, list_of, mapping_of, nullable
from sleep_tune.files import read_json_lines
from sleep_tune.records import is_count

__all__ = ["find_mistake", "read_journal_lines"]


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


CHECKS: dict[str, Check] = {
    **dict.fromkeys(("words_seen", "updates", "cycle", "pass_index", "fold", "read_ratio", "seconds"), is_measure),
    **dict.fromkeys(("buffer_size", "candidates", "words", "batches", "took", "rung"), is_measure),
    **dict.fromkeys(
        ("loss", "loss/wake", "loss/sleep", "learning_rate", "mean_score", "mean_age", "mean_signal"),
        nullable(is_measure),
    ),
    **dict.fromkeys(("phase", "split", "kind"), is_text),
    **dict.fromkeys(("metrics", "sources", "corpus"), mapping_of(is_measure)),
    "exposures": list_of(is_count),
    "examples": nullable(list_of(_is_mapping)),
}
"""Key -> check of its value, in lines of any kind."""

NEEDED = {
    "train": ("words_seen",),
    "sleep": ("cycle", "sources", "exposures"),
    "phase": ("words_seen", "cycle", "phase", "learning_rate"),
    "eval": ("words_seen", "metrics"),
}
"""Kind of a line -> keys that it must have."""


def find_mistake(line: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a line's object; None if nothing is, or if its kind is unknown."""
    for key, check in CHECKS.items():
        if key in line and not check(line[key]):
            return f"'{key}' cannot be {shortened(repr(line[key]))}"
    for key in ("kind", *NEEDED.get(str(line.get("kind")), ())):
        if key not in line:
            return f"'{key}' is missing"
    return None


def read_journal_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield each line of a journal; an incomplete last line is left out.

    Raises:
        DataError: a line does not fit the schema; the message names it.
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
