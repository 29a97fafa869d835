"""Formats of tables: the columns of a file, and its rows one after another, whatever its size.

JSON lines and CSV are read line by line, so that a mistake is reported with its line; parquet and Arrow files are read
in batches by pyarrow.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sleep_tune.data.byte_streams import decode_line, open_bytes, require_unmarked
from sleep_tune.data.file_types import FileType
from sleep_tune.errors import DataError, listed, shortened

if TYPE_CHECKING:
    import pyarrow

__all__ = ["ARROW", "FORMATS", "Columns", "Format", "Rows", "text_columns"]

LONGEST_CELL = 2**31 - 1
"""Characters in a cell of a CSV file, which the library limits to 131,072 otherwise."""

SEPARATOR = {"csv": ",", "tsv": "\t"}
"""Format -> character between its cells."""
SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons"}
"""Character between the cells of some table -> its name."""

QUOTED = 'A cell that begins with a quotation mark must end with one, and those within it are doubled ("")'
LONE_RETURNS = "Its lines must end in LF or CR LF, not in CR alone; convert it with mac2unix, or tr '\\r' '\\n'"

BATCH_ROWS = 256
"""Rows of a parquet file that are in memory at once: each may be a book."""

ARROW = FileType("arrow", "", ".arrow")
"""Type of the files in which the library datasets keeps a dataset."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read."""

    text: str
    source: str | None
    """The column that names the source of each row; None if the file does."""


Rows = Iterator[tuple[int, object, object]]
"""For each row: its line in the file or its number, from 1, the value of the text, and that of the source or None."""


def _json_columns(path: Path, type: FileType) -> dict[str, bool]:
    """Return the columns of the first row, where null may stand for text; none of an empty file."""
    _, row = next(_json_rows(path, type), (0, {}))
    return {name: value is None or isinstance(value, str) for name, value in row.items()}


def _read_json(path: Path, type: FileType, columns: Columns) -> Rows:
    for number, row in _json_rows(path, type):
        for name in (columns.text, columns.source):
            if name is not None and name not in row:
                raise DataError(
                    f"{path}:{number}: the object must have '{name}'; it has {listed(list(row)) or 'nothing'}"
                )
        yield number, row[columns.text], row[columns.source] if columns.source is not None else None


def _json_rows(path: Path, type: FileType) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in _lines(path, type):
        if not line.strip():
            continue
        hint = "; a JSON array must be written as one object a line" if line.strip()[0] == "[" else ""
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            what = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            raise DataError(f"{path}:{number}: each line must be a JSON object; {what}{hint}") from error
        if not isinstance(row, dict):
            raise DataError(f"{path}:{number}: each line must be a JSON object; got {shortened(line.strip())}{hint}")
        yield number, row


def _csv_columns(path: Path, type: FileType) -> dict[str, bool]:
    """Return the columns that the first line names, all of which may be text; none of an empty file."""
    _, header = next(_csv_rows(path, type), (0, []))
    if len(header) == 1 and (mark := next((mark for mark in SEPARATORS if mark in header[0]), None)):
        expected = SEPARATORS[SEPARATOR[type.format]]
        raise DataError(
            f"{path}:1: the columns of a .{type.format} file must be separated by {expected}; got "
            f"'{shortened(header[0])}', with {SEPARATORS[mark]}: save the file with {expected}, or rename it"
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise DataError(f"{path}:1: the first line must name each column once; '{shortened(twice[0])}' is there twice")
    return dict.fromkeys(header, True)


def _read_csv(path: Path, type: FileType, columns: Columns) -> Rows:
    rows = _csv_rows(path, type)
    _, header = next(rows)
    text = header.index(columns.text)
    source = None if columns.source is None else header.index(columns.source)
    for number, row in rows:
        if len(row) != len(header):
            raise DataError(f"{path}:{number}: a row must have {len(header)} cells, as the first line; got {len(row)}")
        yield number, row[text], None if source is None else row[source]


def _csv_rows(path: Path, type: FileType) -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row that is not blank, with the line at which it ends."""
    csv.field_size_limit(LONGEST_CELL)
    lines = (line for _, line in _lines(path, type))
    reader = csv.reader(lines, delimiter=SEPARATOR[type.format], strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            remedy = LONE_RETURNS if "new-line" in str(error) else QUOTED
            raise DataError(
                f"{path}:{reader.line_num}: the row cannot be read: {shortened(str(error))}. {remedy}"
            ) from error
        if row is None:
            return
        if row:
            yield reader.line_num, row


def _lines(path: Path, type: FileType) -> Iterator[tuple[int, str]]:
    """Yield each line with its number.

    Raises:
        DataError: it is not UTF-8.
    """
    with open_bytes(path, type.compression) as stream:
        for number, line in enumerate(stream, 1):
            if number == 1:
                require_unmarked(line, path)
            yield number, decode_line(line, path, number)


def _parquet_columns(path: Path, type: FileType) -> dict[str, bool]:
    with _open_parquet(path) as file:
        return text_columns(file.schema_arrow)


def _read_parquet(path: Path, type: FileType, columns: Columns) -> Rows:
    with _open_parquet(path) as file:
        names = [name for name in (columns.text, columns.source) if name is not None]
        yield from _numbered(file.iter_batches(BATCH_ROWS, columns=names), columns)


@contextmanager
def _open_parquet(path: Path) -> Iterator[Any]:
    import pyarrow.parquet

    with _arrow_errors(path, "parquet"), pyarrow.parquet.ParquetFile(path) as file:
        yield file


def _arrow_columns(path: Path, type: FileType) -> dict[str, bool]:
    import pyarrow

    with _arrow_errors(path, "Arrow"), pyarrow.memory_map(str(path)) as memory:
        return text_columns(pyarrow.ipc.open_stream(memory).schema)


def _read_arrow(path: Path, type: FileType, columns: Columns) -> Rows:
    import pyarrow

    with _arrow_errors(path, "Arrow"), pyarrow.memory_map(str(path)) as memory:
        yield from _numbered(pyarrow.ipc.open_stream(memory), columns)


def _numbered(batches: "Iterable[pyarrow.RecordBatch]", columns: Columns) -> Rows:
    number = 0
    for batch in batches:
        texts = batch.column(columns.text).to_pylist()
        sources: Sequence[object] = [None] * len(texts)
        if columns.source is not None:
            sources = batch.column(columns.source).to_pylist()
        for text, source in zip(texts, sources, strict=True):
            number += 1
            yield number, text, source


def text_columns(schema: "pyarrow.Schema") -> dict[str, bool]:
    """Return the columns of a schema, and whether each holds text.

    Raises:
        ValueError: two have the same name.
    """
    from pyarrow import types

    def is_text(type: "pyarrow.DataType") -> bool:
        inner = type.value_type if types.is_dictionary(type) else type
        return bool(types.is_string(inner) or types.is_large_string(inner) or types.is_string_view(inner))

    if len(set(schema.names)) < len(schema.names):
        raise ValueError("two columns have the same name")
    return {field.name: is_text(field.type) for field in schema}


@contextmanager
def _arrow_errors(path: Path, what: str) -> Iterator[None]:
    """Turn the errors of pyarrow into one sentence.

    Raises:
        DataError: the file is not of this format, is damaged or incomplete, or holds text that is not UTF-8.
    """
    import pyarrow

    try:
        yield
    except DataError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        lines = str(error).splitlines() or [error.__class__.__name__]
        raise DataError(f"{path} must be a whole {what} file: {lines[0]}") from error


@dataclass(frozen=True, slots=True)
class Format:
    """Functions that read a table."""

    columns: Callable[[Path, FileType], dict[str, bool]]
    """Columns, and whether each may hold text."""
    rows: Callable[[Path, FileType, Columns], Rows]
    place: Callable[[Path, int], str]
    """(file, number of a row) -> the row's place, for messages."""


def _at_line(path: Path, number: int) -> str:
    return f"{path}:{number}"


def _in_row(path: Path, number: int) -> str:
    return f"{path}, row {number:,}"


FORMATS: dict[str, Format] = {
    "arrow": Format(_arrow_columns, _read_arrow, _in_row),
    "csv": Format(_csv_columns, _read_csv, _at_line),
    "jsonl": Format(_json_columns, _read_json, _at_line),
    "parquet": Format(_parquet_columns, _read_parquet, _in_row),
    "tsv": Format(_csv_columns, _read_csv, _at_line),
}
"""Format -> functions that read it."""
