"""Recognition of files that are named as text but hold something else, by their first bytes.

What can only be a mistake (a pointer to a text that was not downloaded, an error page of a server, a compressed file)
is an error. What may be intended (a table, a transcript with its codes, a book with its licence) is a warning.
"""

import codecs
import re
from collections.abc import Iterator, Mapping

__all__ = ["LONGEST_BEGINNING", "count_odd", "describe_odd", "find_format", "find_marks"]

LONGEST_BEGINNING = 4096
"""Bytes at the start of a file that are examined; pointers are shorter."""

FORMATS: dict[str, tuple[re.Pattern[bytes], str]] = {
    "a pointer of Git LFS": (
        re.compile(rb"version https://git-lfs\.github\.com/spec/"),
        "run git lfs pull",
    ),
    "a pointer of git-annex": (re.compile(rb"\S*/annex/objects/\S+\s*\Z"), "run git annex get"),
    "an HTML page": (
        re.compile(rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|html|head|body)\b", re.IGNORECASE | re.DOTALL),
        "a server may have sent it instead of the text: download the file again, or extract the text from it",
    ),
    "XML": (re.compile(rb"\s*<\?xml\b"), "extract the text from it, or download it again if a server sent an error"),
    "JSON": (
        re.compile(rb'\s*\[?\s*\{\s*(?:"(?:[^"\\]|\\.)*"\s*:|\}\s*\Z)'),
        "write its text as plain lines",
    ),
    "RTF": (re.compile(rb"\{\\rtf"), "save it as plain text"),
    "PDF": (re.compile(rb"%PDF-"), "extract the text from it: pdftotext"),
    "compressed by gzip": (re.compile(rb"\x1f\x8b"), "unpack it: gunzip"),
    "compressed by bzip2": (re.compile(rb"BZh[1-9]1AY&SY"), "unpack it: bunzip2"),
    "compressed by xz": (re.compile(rb"\xfd7zXZ\0"), "unpack it: unxz"),
    "compressed by zstd": (re.compile(rb"\x28\xb5\x2f\xfd"), "unpack it: unzstd"),
    "a zip archive or an office document": (re.compile(rb"PK\x03\x04"), "unpack it, or save it as plain text"),
}
"""Format -> pattern of its first bytes, and what to do."""

MARKS = {
    "begins like a table, with names of columns": re.compile(r"\s*\w+(?:(?:,\w+)+|(?:\t\w+)+)[^\S\n]*\n"),
    "begins like a CHAT transcript; its codes are read as text": re.compile(r"@(?:UTF8|Begin)\b"),
    "begins like subtitles; their times are read as text": re.compile(
        r"\s*(?:WEBVTT\b|\d+\s*\n\d+:\d\d:\d\d[,.]\d+ *-->)"
    ),
}
"""Warning -> pattern of the beginning of a text that gets it."""

LICENCE = re.compile(r"^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG", re.MULTILINE)

ODD_CHARACTERS = {
    "replacement characters (U+FFFD, left where a conversion lost text)": re.compile("\ufffd"),
    "byte-order marks within the text (U+FEFF, left where files were joined)": re.compile("\ufeff"),
    "zero-width spaces (U+200B, which separate no words here)": re.compile("\u200b"),
    "soft hyphens (U+00AD)": re.compile("\u00ad"),
    "control characters": re.compile("[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]"),
}
"""Name -> characters that a text seldom holds on purpose; those that end a line are not among them."""


def find_format(content: bytes) -> tuple[str, str] | None:
    """Return the format of a file that is not text, and what to do; None for text."""
    head = content[:LONGEST_BEGINNING].removeprefix(codecs.BOM_UTF8)
    for what, (beginning, remedy) in FORMATS.items():
        if beginning.match(head):
            return what, remedy
    return None


def find_marks(text: str, *, is_beginning: bool = True) -> Iterator[str]:
    """Yield warnings about a text that is read as it is, but may not be meant so.

    Args:
        text: of a file, or whole lines of it.
        is_beginning: whether the file begins with `text`.
    """
    for what, beginning in MARKS.items():
        if is_beginning and beginning.match(text):
            yield what
    if LICENCE.search(text):
        yield "holds the licence of Project Gutenberg, which is read as text"


def count_odd(text: str) -> dict[str, int]:
    """Return the number of characters of each kind that are seldom intended in a text."""
    return {what: len(characters.findall(text)) for what, characters in ODD_CHARACTERS.items()}


def describe_odd(counts: Mapping[str, int]) -> Iterator[str]:
    """Yield a warning for each kind of characters that a text holds."""
    for what, number in counts.items():
        if number:
            yield f"holds {what}: {number:,}"
