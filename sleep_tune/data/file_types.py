"""Types of corpus files, by their names: plain text, or a table of which one column is text; compressed or not."""

from dataclasses import dataclass

from sleep_tune.data.split_names import is_text_name

__all__ = ["TEXT", "TYPES", "FileType", "find_type"]

TEXT = "text"
"""Format of plain text; all others are tables."""

TABLES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
"""Suffix -> format of a table (`tables.FORMATS`)."""

COMPRESSIONS = (".gz", ".zst")

TYPES = "*.txt, *.train, *.jsonl, *.csv, *.tsv or *.parquet files, or .gz or .zst of them"
"""The files that can be read, for messages."""


@dataclass(frozen=True, slots=True)
class FileType:
    """What a file holds."""

    format: str
    """TEXT, or a format of tables."""
    compression: str
    """One of COMPRESSIONS; '' for none."""
    suffix: str
    """End of the name that says so, as it is written: '.jsonl.gz'; of plain text the compression alone."""

    @property
    def name(self) -> str:
        """Name of the type for messages: 'text', 'text.gz', 'jsonl', 'csv.zst'."""
        return self.format + self.compression


def find_type(name: str) -> FileType | None:
    """Return the type of a file by its name; None if files of this name are not read.

    >>> [found and found.name for found in map(find_type, ("a.txt", "a.train.gz", "B.JSONL", "a.parquet.gz", "a.md"))]
    ['text', 'text.gz', 'jsonl', None, None]
    """
    lower = name.casefold()
    compression = next((ending for ending in COMPRESSIONS if lower.endswith(ending)), "")
    bare = lower.removesuffix(compression)
    for suffix, format in TABLES.items():
        if bare.endswith(suffix):
            is_known = not (format == "parquet" and compression)  # it is compressed within, and not read from its start
            return FileType(format, compression, name[-len(suffix + compression) :]) if is_known else None
    return FileType(TEXT, compression, name[len(name) - len(compression) :]) if is_text_name(bare) else None
