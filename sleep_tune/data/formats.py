"""Files that are called text and hold something else, recognised by how they begin.

What can only be a mistake (a pointer to a text that was not downloaded, a server's page that says so, a packed file) is
refused; what may be meant (a table, a transcript with its codes, a book with its licence) is a warning.
"""

import codecs
import re
from collections.abc import Iterator

__all__ = ["find_format", "find_marks"]

LONGEST_BEGINNING = 4096
"""Bytes of a file that are looked at; pointers are shorter."""

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
"""What a file is -> how it begins, and what to do."""

MARKS = {
    "begins as a table does, with names of columns": re.compile(r"\s*\w+(?:(?:,\w+)+|(?:\t\w+)+)[^\S\n]*\n"),
    "begins as a CHAT transcript does; its codes are read as text": re.compile(r"@(?:UTF8|Begin)\b"),
    "begins as subtitles do; their times are read as text": re.compile(
        r"\s*(?:WEBVTT\b|\d+\s*\n\d+:\d\d:\d\d[,.]\d+ *-->)"
    ),
}
"""What is said of a text that begins so."""

LICENCE = re.compile(r"^\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG", re.MULTILINE)


def find_format(content: bytes) -> tuple[str, str] | None:
    """Say what a file is, and what to do, if its beginning is that of no text."""
    head = content[:LONGEST_BEGINNING].removeprefix(codecs.BOM_UTF8)
    for what, (beginning, remedy) in FORMATS.items():
        if beginning.match(head):
            return what, remedy
    return None


def find_marks(text: str) -> Iterator[str]:
    """Say what a text seems to be, where it is read as it stands but may not be meant so."""
    for what, beginning in MARKS.items():
        if beginning.match(text):
            yield what
    if LICENCE.search(text):
        yield "holds the licence of Project Gutenberg, which is read as text"
