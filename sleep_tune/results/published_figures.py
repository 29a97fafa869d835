"""Published figures as rows of a comparison, from a CSV with a column `model`, one for each score, and `source`.

They share no seeds with the arms, so no differences are computed: they are shown for orientation. Tables of BabyLM's
baselines come with the package.
"""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.babylm.challenge import CHANCE, FOLDERS, WUG
from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS, Protocol, only_year, split_score
from sleep_tune.babylm.score_names import ACCURACY, GLUE_TITLES, MACRO, UNSPECIFIED, find_score, known_scores, task_of
from sleep_tune.errors import DataError, nearest, shortened
from sleep_tune.installation import REFERENCE
from sleep_tune.results.arms import Arm
from sleep_tune.results.columns import COLUMNS, PAIRS
from sleep_tune.statistics.fixed_sample import Estimate

__all__ = ["PUBLISHED", "find_published", "read_published"]

PUBLISHED = {path.stem: path for path in sorted(REFERENCE.glob("*.csv"))}
"""Name -> table of published figures that comes with the package."""

MODEL, SOURCE = "model", "source"

LABELS = ("track", "scoring", "backend", "revision")
"""Columns of text that distinguish rows of one model."""

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}

NO_FIGURE = frozenset({"", "-", "–", "—", "nan", "na", "n/a", "none", "null"})  # noqa: RUF001
"""Content of cells without a figure, in lower case."""

NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)

OLD_RULE = re.compile(r"\Wold\Wrule$|_old_rule$", re.IGNORECASE)
"""End of the heading of a score by the rule of `ABSENT`, as a table of 2026 has entity tracking."""

CORRELATED = frozenset({"reading_eye_tracking", "reading_self_paced", "aoa"})
"""Tasks whose scores can be between 0 and 1 percent."""


@dataclass(frozen=True, slots=True)
class _Column:
    """A column of figures."""

    heading: str
    key: str
    scale: float
    """Factor that converts its numbers to the unit of `key`."""


def find_published(named: Path) -> Path:
    """Return the table of this name that comes with the package, unless it is the path of a file; a folder is none.

    Raises:
        DataError: it is neither.
    """
    if named.is_file() or named.suffix or len(named.parts) > 1:
        return named  # where there is no such file, reading it says so
    if str(named) not in PUBLISHED:
        raise DataError(
            f"published figures must be a CSV file or one of {', '.join(PUBLISHED)}; got {shortened(str(named))}"
        )
    return PUBLISHED[str(named)]


def read_published(path: Path, metrics: Collection[str] = (), year: str | None = None) -> list[Arm]:
    """Return one arm per line of the file, without lines that begin with # and cells that are empty or say n/a.

    A column has the name of a metric (`babylm2026/blimp_fast`, `test/nll`), the heading of a table of this package
    (`BLiMP fast 2026`) or that of BabyLM's tables (`blimp_fast`, `BLiMP Supplement`, `wug_adj_rho`: see `ALIASES`).
    Scores whose heading names no year are by the protocol of the year that alone has a task of the table, else of
    `year`, else of `ABSENT`. Where a model has several lines, its columns `track`, `scoring`, `backend` and `revision`
    become part of its name. Cells are separated by commas, semicolons or tabs; with semicolons or tabs, numbers may
    have a decimal comma.

    Args:
        path: of the file, in UTF-8.
        metrics: measured by other arms of the comparison; the file may have columns for these too.
        year: of columns that do not say it; a key of PROTOCOLS.

    Raises:
        DataError: the file is not such a table; the message names file, line and column.
    """
    lines = _lines(path)
    where = f"{path}:{lines[0][0]}" if lines else str(path)
    delimiter = _delimiter(where, lines)
    rows = _rows(path, lines, delimiter)
    columns = _columns(where, rows[0][1], rows[1:], metrics, _plain_protocol(where, rows[0][1], year))
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
    """Return the lines of the file with their numbers from 1, without empty lines and comments."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} must be a CSV in UTF-8 with a column '{MODEL}' and one for each score: {error}"
        ) from error
    lines = enumerate(text.splitlines(), 1)
    return [(number, line) for number, line in lines if line.strip() and not line.startswith("#")]


def _delimiter(where: str, lines: Sequence[tuple[int, str]]) -> str:
    """Return the separator of cells: the one with which the first line has a column `model`."""
    first = lines[0][1] if lines else ""
    for delimiter in DELIMITERS:
        headings = [heading.strip().strip('"').lower() for heading in first.split(delimiter)]
        if MODEL in headings:
            return delimiter
    turned = (
        "; a table with a line for each metric and a column for each model must be transposed"
        if "metric" in first
        else ""
    )
    raise DataError(
        f"{where}: expected a column '{MODEL}' and one for each score, separated by "
        f"{' or '.join(DELIMITERS.values())}; got {shortened(first)!r}{turned}"
    )


def _rows(path: Path, lines: Sequence[tuple[int, str]], delimiter: str) -> list[tuple[int, list[str]]]:
    """Return each row with the number of the line that it ends on."""
    reader = csv.reader((line for _, line in lines), delimiter=delimiter, strict=True)
    rows: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            rows.append((lines[reader.line_num - 1][0], [cell.strip() for cell in row]))
    except csv.Error as error:
        raise DataError(f"{path}:{lines[reader.line_num - 1][0]} cannot be read as a CSV: {error}") from error
    return rows


def _plain_protocol(where: str, headings: Sequence[str], given: str | None) -> Protocol:
    """Return the protocol of the scores whose headings name none.

    Raises:
        DataError: they are of several years.
    """
    plain = [heading for heading in headings if _split_heading(heading) is None]
    found = {heading: score[0] for heading in plain if (score := find_score(heading)) is not None}
    years = {year: heading for heading, score in found.items() if (year := _shown_year(heading, score)) is not None}
    if len(years) > 1 or (given is not None and years and given not in years):
        each = "; ".join(f"'{heading}' of {year}" for year, heading in years.items())
        named = f", but --protocol is {given}" if given is not None and given not in years else ""
        prefixes = " or ".join(protocol.prefix for protocol in PROTOCOLS.values())
        raise DataError(f"{where}: columns without a year must be of one; got {each}{named}: write {prefixes} before")
    return PROTOCOLS[next(iter(years), given or ABSENT)]


def _split_heading(heading: str) -> tuple[Protocol, str] | None:
    """Return the protocol that a heading names and the rest of it in lower case; None if it names none.

    >>> [found and (found[0].year, found[1]) for found in map(_split_heading, ("BLiMP fast 2026", "babylm2025/comps"))]
    [('2026', 'blimp fast'), ('2025', 'comps')]
    """
    text = heading.lower()
    if (named := split_score(text)) is not None:
        return named
    for year, protocol in PROTOCOLS.items():
        if text.startswith(f"babylm{year}/"):
            return protocol, text.removeprefix(f"babylm{year}/")
        if text.endswith(f" {year}"):
            return protocol, text.removesuffix(f" {year}")
    return None


def _shown_year(heading: str, score: str) -> str | None:
    """Return the year that alone has the score of this heading, by this rule; None if several have it, or all."""
    return ABSENT if OLD_RULE.search(heading) else only_year(_folder(score))


def _folder(score: str) -> str:
    """Return the data folder of a score: its name without the ending of another measure."""
    return score.removesuffix(ACCURACY).removesuffix(UNSPECIFIED)


def _columns(
    where: str,
    headings: Sequence[str],
    rows: Sequence[tuple[int, Sequence[str]]],
    metrics: Collection[str],
    plain: Protocol,
) -> dict[int, str | _Column]:
    """Return index -> MODEL, SOURCE, one of `LABELS`, or a column of figures, without empty columns without heading."""
    columns: dict[int, str | _Column] = {}
    for at, heading in enumerate(headings):
        if not heading and not any(row[at : at + 1] != [""] for _, row in rows if at < len(row)):
            continue
        name = heading.lower()
        columns[at] = name if name in (MODEL, SOURCE, *LABELS) else _column(where, at, heading, metrics, plain)
    taken: dict[str, str] = {}
    for at, column in columns.items():
        key = column if isinstance(column, str) else column.key
        if key in taken:
            raise DataError(
                f"{where}: every column must have a name of its own; '{taken[key]}' and '{headings[at]}' are both {key}"
            )
        taken[key] = headings[at]
    return columns


def _column(where: str, at: int, heading: str, metrics: Collection[str], plain: Protocol) -> _Column:
    """Return the column of figures with this heading; `plain` is the protocol of a score that names no year."""
    if not heading:
        raise DataError(f"{where}: column {at + 1} must have a name; it is empty")
    if heading in COLUMNS or heading in metrics:
        return _Column(heading, heading, 1.0)
    protocol, name = _split_heading(heading) or (plain, heading)
    found = find_score(name)
    if found is not None:
        year = _shown_year(heading, found[0])
        if _belongs(found[0], protocol) and year in (None, protocol.year):
            return _Column(heading, f"{protocol.prefix}{found[0]}", found[1])
        raise DataError(
            f"{where}: '{shortened(heading)}' must be a score of {protocol.year}, which does not evaluate it: write "
            f"{PROTOCOLS[year or ABSENT].prefix}{found[0]}"
        )
    scores = {score: f"{protocol.prefix}{score}" for score in known_scores() if _belongs(score, protocol)}
    known = scores | {key: key for key in COLUMNS}
    close = nearest(name.lower(), known)
    hint = f"did you mean {known[close]}?" if close else f"choose one of: {', '.join(known.values())}."
    raise DataError(
        f"{where}: unknown column '{shortened(heading)}'; {hint} Text about a model belongs in '{SOURCE}' or one of "
        f"{', '.join(LABELS)}"
    )


def _belongs(score: str, protocol: Protocol) -> bool:
    """Return whether a protocol has the folder of a score; scores without a folder belong to all."""
    return _folder(score) not in FOLDERS or _folder(score) in protocol.folders


def _arm(
    where: str, columns: Mapping[int, str | _Column], cells: Sequence[str], delimiter: str, *, labelled: bool
) -> Arm:
    """Return one line as an arm; if `labelled`, the labels are part of its name."""
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
    """Yield (key, value) of each figure in a line."""
    for at, column in columns.items():
        if not isinstance(column, str) and cells[at].lower() not in NO_FIGURE:
            yield column.key, _number(where, column, cells[at], delimiter)


def _number(where: str, column: _Column, cell: str, delimiter: str) -> float:
    """Return a cell as a number in the unit of its key."""
    text = cell.replace("−", "-")  # noqa: RUF001  minus sign
    if split_score(column.key) is not None and column.scale == 1.0:
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


def _score(key: str) -> str | None:
    """Return a metric's name as a score of BabyLM; None if it is none."""
    found = split_score(key)
    return None if found is None else found[1]


def _is_rho(key: str) -> bool:
    return _score(key) in WUG


def _range(column: _Column) -> tuple[float, float, str]:
    """Return the smallest and largest number that a column may hold, and the name of its unit."""
    score = _score(column.key)
    if column.scale != 1.0:
        return -1.0, 1.0, "Spearman's rho"
    if column.key == PAIRS:
        return 0.0, 1.0, "a share of right answers"
    if score is None:
        return (0.0 if column.key in COLUMNS else float("-inf")), float("inf"), "a number"
    if _is_rho(column.key):
        return -100.0, 100.0, "Spearman's rho x 100"
    accurate = (
        CHANCE.get(task_of(score), 0.0) > 0 or score in GLUE_TITLES or score.endswith(ACCURACY) or score == "glue"
    )
    return (0.0 if accurate else -100.0), 100.0, "in percent"


def _looks_like_a_share(column: _Column, number: float) -> bool:
    """Return whether a score that should be in percent seems to be a share; scores of reading are really that small."""
    score = _score(column.key)
    known = score is not None and (score == MACRO or find_score(score) is not None)
    return known and column.scale == 1.0 and score not in CORRELATED and 0 < abs(number) < 1
