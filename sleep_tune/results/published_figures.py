"""Published figures as rows of a comparison: a table with a column `model`, one for each score, and `source`.

They have no seeds that anyone shares, and so no differences: they stand beside the arms for orientation.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.babylm.challenge import CHANCE, WUG
from sleep_tune.babylm.score_names import ACCURACY, GLUE_TITLES, MACRO, find_score, known_scores, task_of
from sleep_tune.errors import DataError, nearest, shortened
from sleep_tune.results.arms import PAIRS, Arm
from sleep_tune.results.columns import BABYLM, COLUMNS
from sleep_tune.results.statistics import Estimate

__all__ = ["read_published"]

MODEL, SOURCE = "model", "source"

LABELS = ("track", "scoring", "backend", "revision")
"""Columns of words that tell rows of one model apart."""

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

ABSENT = frozenset({"", "-", "–", "—", "nan", "na", "n/a", "none", "null"})  # noqa: RUF001
"""What a cell without a figure holds, in lower case."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)

CORRELATED = frozenset({"reading_eye_tracking", "reading_self_paced", "aoa"})
"""Tasks whose scores may well lie between 0 and 1 percent."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of figures."""

    heading: str
    key: str
    scale: float
    """What its numbers are multiplied by to be in the unit of `key`."""


def read_published(path: Path, metrics: Collection[str] = ()) -> list[Arm]:
    """A row for each line of the file; lines that begin with #, and cells that are empty or say n/a, are left out.

    A column is named for what the comparison calls it (`babylm/blimp_fast`, `test/nll`), or as BabyLM's tables do
    (`blimp_fast`, `BLiMP Supplement`, `wug_adj_rho`: see `ALIASES`). The columns `track`, `scoring`, `backend`
    and `revision` become part of a model's name that is there several times. Cells are parted by commas, semicolons or
    tabs; but for the first, a number may have a decimal comma.

    Args:
        path: of the file, in UTF-8.
        metrics: what other arms of the comparison measured, which may be published too.

    Raises:
        DataError: the file is no such table; the message names file, line and column.
    """
    lines = _lines(path)
    where = f"{path}:{lines[0][0]}" if lines else str(path)
    delimiter = _delimiter(where, lines)
    rows = _rows(path, lines, delimiter)
    columns = _columns(where, rows[0][1], rows[1:], metrics)
    if all(isinstance(column, str) for column in columns.values()):
        raise DataError(f"{where}: expected a column for at least one score; got {', '.join(rows[0][1])}")
    of_model = next(at for at, column in columns.items() if column == MODEL)
    models = Counter(cells[of_model] for _, cells in rows[1:] if len(cells) > of_model)
    arms: dict[str, Arm] = {}
    for number, cells in rows[1:]:
        if len(cells) != len(rows[0][1]):
            raise DataError(
                f"{path}:{number}: expected {len(rows[0][1])} cells, as the first line has; got {len(cells)}"
            )
        if not any(cells):
            continue
        labelled = models[cells[of_model]] > 1
        arm = _arm(f"{path}:{number}", columns, cells, delimiter, labelled=labelled)
        if arm.name in arms:
            raise DataError(f"{path}:{number}: every model must have a name of its own; '{arm.name}' is there already")
        arms[arm.name] = arm
    if not arms:
        raise DataError(f"{where}: expected a line for each model below the headings; there is none")
    return list(arms.values())


def _lines(path: Path) -> list[tuple[int, str]]:
    """The file's lines with their numbers, without those that are empty or comments."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} must be a CSV in UTF-8 with a column '{MODEL}' and one for each score: {error}"
        ) from error
    lines = enumerate(text.splitlines(), 1)
    return [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]


def _delimiter(where: str, lines: Sequence[tuple[int, str]]) -> str:
    """What parts the cells: that which makes the first line have a column `model`."""
    first = lines[0][1] if lines else ""
    for delimiter in DELIMITERS:
        headings = [heading.strip().strip('"').lower() for heading in first.split(delimiter)]
        if MODEL in headings:
            return delimiter
    turned = "; a line for each metric and a column for each model must be turned" if "metric" in first else ""
    raise DataError(
        f"{where}: expected a column '{MODEL}' and one for each score, parted by {' or '.join(DELIMITERS.values())}; "
        f"got {shortened(first)!r}{turned}"
    )


def _rows(path: Path, lines: Sequence[tuple[int, str]], delimiter: str) -> list[tuple[int, list[str]]]:
    """Each row with the line of the file that it ends on."""
    reader = csv.reader((line for _, line in lines), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            rows.append((lines[reader.line_num - 1][0], [cell.strip() for cell in row]))
    except csv.Error as error:
        raise DataError(f"{path}:{lines[reader.line_num - 1][0]} cannot be read as a CSV: {error}") from error
    return rows


def _columns(
    where: str, headings: Sequence[str], rows: Sequence[tuple[int, Sequence[str]]], metrics: Collection[str]
) -> dict[int, str | _Column]:
    """Place -> MODEL, SOURCE, one of `LABELS`, or a column of figures; empty columns without a heading are left out."""
    columns: dict[int, str | _Column] = {}
    for at, heading in enumerate(headings):
        if not heading and not any(row[at : at + 1] != [""] for _, row in rows if at < len(row)):
            continue
        name = heading.lower()
        columns[at] = name if name in (MODEL, SOURCE, *LABELS) else _column(where, at, heading, metrics)
    taken: dict[str, str] = {}
    for at, column in columns.items():
        key = column if isinstance(column, str) else column.key
        if key in taken:
            raise DataError(
                f"{where}: every column must have a name of its own; '{taken[key]}' and '{headings[at]}' are both {key}"
            )
        taken[key] = headings[at]
    return columns


def _column(where: str, at: int, heading: str, metrics: Collection[str]) -> _Column:
    """A column of figures by its heading."""
    if not heading:
        raise DataError(f"{where}: column {at + 1} must have a name; it is empty")
    if heading in COLUMNS or heading in metrics:
        return _Column(heading, heading, 1.0)
    found = find_score(heading)
    if found is not None:
        return _Column(heading, f"{BABYLM}{found[0]}", found[1])
    scores = [f"{BABYLM}{score}" for score in known_scores()]
    known = {key.removeprefix(BABYLM): key for key in (*scores, *COLUMNS)}
    close = nearest(heading.lower().removeprefix(BABYLM), known)
    hint = f"did you mean {known[close]}?" if close else f"choose one of: {', '.join(known.values())}."
    raise DataError(
        f"{where}: unknown column '{shortened(heading)}'; {hint} Words about a model belong into '{SOURCE}' or one of "
        f"{', '.join(LABELS)}"
    )


def _arm(
    where: str, columns: Mapping[int, str | _Column], cells: Sequence[str], delimiter: str, *, labelled: bool
) -> Arm:
    """One line as an arm; its name has the labels, too, if asked for."""
    words = {column: cells[at] for at, column in columns.items() if isinstance(column, str)}
    if not words[MODEL]:
        raise DataError(f"{where}: expected a name in the column '{MODEL}'; it is empty")
    labels = [words.get(label, "") for label in LABELS] if labelled else []
    name = ", ".join(word for word in (words[MODEL], *labels) if word)
    figures = dict(_figures(where, columns, cells, delimiter))
    estimates = {key: Estimate(value, None, None, 1) for key, value in figures.items()}
    return Arm(name=name, kind="published", estimates=estimates)


def _figures(
    where: str, columns: Mapping[int, str | _Column], cells: Sequence[str], delimiter: str
) -> Iterator[tuple[str, float]]:
    """The figures of a line by their keys."""
    for at, column in columns.items():
        if not isinstance(column, str) and cells[at].lower() not in ABSENT:
            yield column.key, _number(where, column, cells[at], delimiter)


def _number(where: str, column: _Column, cell: str, delimiter: str) -> float:
    """A cell as a number in the unit of its column."""
    text = cell.replace("−", "-")  # noqa: RUF001  the sign of minus
    if column.key.startswith(BABYLM) and column.scale == 1.0:
        text = text.removesuffix("%").rstrip()
    if delimiter != ",":
        text = text.replace(",", ".")
    if not NUMBER.fullmatch(text):
        hint = " (with a decimal point)" if "," in text else ""
        raise DataError(f"{where}: {column.heading} must be a number{hint}, or empty; got {shortened(cell)!r}")
    number = float(text)
    low, high, unit = _range(column)
    if not low <= number <= high:
        raise DataError(f"{where}: {column.heading} must be {unit}, in [{low:g}, {high:g}]; got {cell}")
    if _looks_like_a_share(column, number):
        is_rho = _is_rho(column.key)
        what, hint = ("rho itself", ", or name the column wug_adj_rho or wug_past_rho") if is_rho else ("a share", "")
        raise DataError(
            f"{where}: {column.heading} must be {unit}; got {cell}, which looks like {what}: "
            f"write {100 * number:g}{hint}"
        )
    return number * column.scale


def _is_rho(key: str) -> bool:
    return key.removeprefix(BABYLM) in WUG


def _range(column: _Column) -> tuple[float, float, str]:
    """The least and the largest number that a column may hold, and what its unit is called."""
    score = column.key.removeprefix(BABYLM)
    if column.scale != 1.0:
        return -1.0, 1.0, "Spearman's rho"
    if column.key == PAIRS:
        return 0.0, 1.0, "a share of right answers"
    if not column.key.startswith(BABYLM):
        return (0.0 if column.key in COLUMNS else float("-inf")), float("inf"), "a number"
    if _is_rho(column.key):
        return -100.0, 100.0, "Spearman's rho x 100"
    accurate = (
        CHANCE.get(task_of(score), 0.0) > 0 or score in GLUE_TITLES or score.endswith(ACCURACY) or score == "glue"
    )
    return (0.0 if accurate else -100.0), 100.0, "in percent"


def _looks_like_a_share(column: _Column, number: float) -> bool:
    """Whether a score in percent is given from 0 to 1. Reading's are that small in truth."""
    score = column.key.removeprefix(BABYLM)
    known = column.key.startswith(BABYLM) and (score == MACRO or find_score(score) is not None)
    return known and column.scale == 1.0 and score not in CORRELATED and 0 < abs(number) < 1
