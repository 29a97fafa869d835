"""Tables of which one column is text: the choice of the column, and a document for each row."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from sleep_tune.data.documents import Document
from sleep_tune.data.file_types import FileType
from sleep_tune.data.formats import count_odd, describe_odd
from sleep_tune.data.sentences import split_sentences
from sleep_tune.data.table_formats import FORMATS, Columns
from sleep_tune.errors import DataError, listed, shortened, unknown

__all__ = ["choose_columns", "describe_columns", "describe_rows", "read_table"]

USUAL_FIELD = "text"
"""Column that is read if there is one of this name and data.field is not set."""

ROWS, BLANK = "rows", "rows without words"
"""Names of two counts of `read_table`."""

COLUMN_NAME = re.compile(r"[^\W\d]\w*")
"""Names that a column may be guessed by; a first line with anything else may be text without names of columns."""


def choose_columns(
    available: Mapping[str, bool], field: str | None, source_field: str | None, where: object
) -> Columns:
    """Return the columns to read: those that are named, or a text column that can be no other.

    Args:
        available: column -> whether it holds text; in the order of the table.
        field: data.field.
        source_field: data.source_field.
        where: the file or dataset, for messages.

    Raises:
        DataError: there is no such column, it holds no text, or it is not clear which column is meant.
    """
    if not available:
        raise DataError(f"{where} must hold rows with columns; it is empty: remove it, or make it again")
    texts = [name for name, is_text in available.items() if is_text]
    for key, given in (("data.field", field), ("data.source_field", source_field)):
        if given is not None and given not in available:
            raise DataError(f"{where}: {unknown(key, given, available)}")
    if field is not None and not available[field]:
        raise DataError(f"{where}: data.field must be a column of text: {listed(texts) or 'it has none'}; got {field}")
    if field is None and USUAL_FIELD in texts:
        field = USUAL_FIELD
    elif field is None and len(texts) == 1 and COLUMN_NAME.fullmatch(texts[0]):
        (field,) = texts
    if field is None:
        names = listed([shortened(name) for name in available])
        raise DataError(
            f"{where}: data.field must name the column that holds the text, since none is named {USUAL_FIELD}; columns "
            f"of text: {listed([shortened(name) for name in texts]) or f'none among {names}'}"
        )
    return Columns(field, source_field)


def describe_columns(columns: Columns) -> str:
    """Return a line that says which columns are read."""
    sources = f", sources from '{columns.source}'" if columns.source is not None else ""
    return f"columns: text from '{columns.text}'{sources}; each row is a document"


def read_table(path: Path, type: FileType, columns: Columns, source: str, counts: Counter[str]) -> Iterator[Document]:
    """Yield a document for each row whose text holds words.

    The lines of a row's text are cut into sentences. The file is not held in memory.

    Args:
        path: of the file.
        type: of the file.
        columns: to read.
        source: of the documents, if no column names it.
        counts: numbers of rows and of odd characters, to which those of the file are added.

    Raises:
        DataError: the file or a row is not as it must be; the message names the line or the row.
    """
    format = FORMATS[type.format]
    names: dict[str, str] = {}
    for number, value, given in format.rows(path, type, columns):
        try:
            name = source if columns.source is None else _source(given, columns.source)
            text = _text(value, columns.text)
        except ValueError as error:
            raise DataError(f"{format.place(path, number)}: {error}") from error
        counts.update(count_odd(text))
        counts[ROWS] += 1
        sentences = tuple(sentence for line in text.splitlines() for sentence in split_sentences(line))
        if sentences:
            yield Document(names.setdefault(name, name), sentences)
        else:
            counts[BLANK] += 1


def describe_rows(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield what is odd about the text of tables with these counts of `read_table`."""
    rows, blank = counts.get(ROWS, 0), counts.get(BLANK, 0)
    if blank or not rows:
        yield f"has {BLANK}: {blank:,} of {rows:,}"
    yield from describe_odd({what: number for what, number in counts.items() if what not in (ROWS, BLANK)})


def _text(value: object, column: str) -> str:
    """Return the text of a row; '' for null.

    Raises:
        ValueError: it is no text that a file could hold.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f"'{column}' must be text; got {shortened(json.dumps(value, default=str))}")
    if "\0" in value:
        raise ValueError(f"'{column}' must not hold NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"'{column}' must be Unicode; got half of a surrogate pair") from error
    return value


def _source(value: object, column: str) -> str:
    """Return the source that a row names.

    Raises:
        ValueError: it is neither text nor a whole number.
    """
    if isinstance(value, int) or (isinstance(value, str) and value.strip()):
        return str(value).strip()
    raise ValueError(f"'{column}' must name the source, in text or a whole number; got {shortened(repr(value))}")
