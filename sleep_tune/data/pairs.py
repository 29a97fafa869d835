"""Minimal pairs: two sentences that differ in one thing, of which one is well-formed; their files."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import DataError
from sleep_tune.files import read_json_lines, write_whole

__all__ = ["MinimalPair", "read_pairs", "write_pairs"]


@dataclass(frozen=True, slots=True)
class MinimalPair:
    """A test item as in BLiMP (Warstadt et al., 2020): a model should find `good` likelier than `bad`."""

    paradigm: str
    good: str
    bad: str


def write_pairs(path: Path, pairs: Iterable[MinimalPair]) -> None:
    """Write pairs as JSON lines in BLiMP's columns: sentence_good, sentence_bad, UID."""
    rows = ({"sentence_good": pair.good, "sentence_bad": pair.bad, "UID": pair.paradigm} for pair in pairs)
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_pairs(path: Path) -> tuple[MinimalPair, ...]:
    """Read JSON lines in BLiMP's columns; the paradigm is `UID`, or the file's stem where a line has none.

    Raises:
        DataError: a line lacks sentence_good or sentence_bad, or is not a JSON object; the message names file and line.
    """
    pairs = []
    try:
        for number, row in enumerate(read_json_lines(path), 1):
            missing = [column for column in ("sentence_good", "sentence_bad") if column not in row]
            if missing:
                raise DataError(f"{path}:{number}: a minimal pair must have '{missing[0]}'; got {sorted(row)}")
            pairs.append(MinimalPair(str(row.get("UID", path.stem)), row["sentence_good"], row["sentence_bad"]))
    except DataError:
        raise
    except ValueError as error:
        raise DataError(str(error)) from error
    return tuple(pairs)
