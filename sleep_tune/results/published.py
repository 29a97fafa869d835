"""Published figures as rows of a comparison: one CSV with a column `model`, one per metric, and `source`.

They have no seeds that anyone shares, and so no differences: they stand beside the arms for orientation.
"""

import csv
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from sleep_tune.errors import DataError
from sleep_tune.results.arms import Arm
from sleep_tune.results.statistics import Estimate

__all__ = ["read_published"]

MODEL, SOURCE = "model", "source"


def read_published(path: Path) -> list[Arm]:
    """A row for each line of the file; cells that are empty, and lines that begin with #, are left out.

    Raises:
        DataError: the file is no such table; the message names file and line.
    """
    try:
        lines = list(enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} must be a CSV with a column '{MODEL}' and one for each metric: {error}") from error
    rows = list(_rows([(number, line) for number, line in lines if line.strip() and not line.startswith("#")]))
    headings = [heading.strip() for heading in rows[0][1]] if rows else []
    where = f"{path}:{rows[0][0]}" if rows else str(path)
    if MODEL not in headings:
        raise DataError(f"{where}: expected a column '{MODEL}' and one for each metric; got {', '.join(headings)!r}")
    if len(set(headings)) < len(headings):
        raise DataError(f"{where}: every column must have a name of its own; got {', '.join(headings)}")
    arms: dict[str, Arm] = {}
    for number, cells in rows[1:]:
        arm = _arm(f"{path}:{number}", headings, cells)
        if arm.name in arms:
            raise DataError(f"{path}:{number}: every model must have a name of its own; '{arm.name}' is there already")
        arms[arm.name] = arm
    return list(arms.values())


def _rows(lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
    """Each row with the line of the file that it is on."""
    reader = csv.reader(line for _, line in lines)
    for row in reader:
        yield lines[reader.line_num - 1][0], row


def _arm(where: str, headings: Sequence[str], cells: Sequence[str]) -> Arm:
    """One line as an arm."""
    if len(cells) != len(headings):
        raise DataError(f"{where}: expected {len(headings)} cells, as the first line has; got {len(cells)}")
    row = dict(zip(headings, (cell.strip() for cell in cells), strict=True))
    name = row.pop(MODEL)
    if not name:
        raise DataError(f"{where}: expected a name in the column '{MODEL}'; it is empty")
    row.pop(SOURCE, None)
    numbers = {key: _number(where, key, cell) for key, cell in row.items() if cell}
    return Arm(
        name=name, kind="published", estimates={key: Estimate(value, None, None, 1) for key, value in numbers.items()}
    )


def _number(where: str, key: str, cell: str) -> float:
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {key} must be a number, or empty; got {cell!r}")
    return number
