"""Lines of a text file -> documents of sentences. Knows no files, no tokens and no splits."""

import re
from collections.abc import Iterable, Sequence

from sleep_tune.data.documents import Document

__all__ = ["documents_of", "split_sentences"]

MAX_DOCUMENT_WORDS = 1000
"""A longer run of lines is no unit to draw: a novel of one block could only be train, dev or test as a whole."""
MIN_DOCUMENTS = 100
"""A short text is cut finer, into about this many documents, so that a share of 5% can be drawn."""

CLOSING = re.escape("\"')]\u201d\u2019\u00bb")
OPENING = re.escape("\"'([\u201c\u2018\u00ab\u2013\u2014-")
"""Quotes, brackets and dashes around a sentence."""
BOUNDARY = re.compile(rf"[.!?\u2026][{CLOSING}]*\s+(?=[{OPENING}]*(?P<next>\w))")
"""A sentence's end with what closes, space, and the letter that follows."""
ABBREVIATION = re.compile(
    rf"(?:^|[\s{OPENING}])"
    r"(?:[A-Z]|Mr|Mrs|Ms|Messrs|Mme|Dr|St|Prof|Rev|Gen|Col|Capt|Lt|Sgt|Hon|Jr|Sr|vs|No|Vol)\.$"
)
"""What may stand before a capital letter without ending a sentence: titles and initials."""


def split_sentences(line: str) -> list[str]:
    """Cut a line at sentence ends: `.`, `!`, `?` or an ellipsis, closing quotes, space, a capital letter.

    Trade-off: a rule of two patterns is the same everywhere and for ever, which a trained splitter is not. It leaves
    what it cannot tell uncut ("He said 'why?' and left"), as a line that holds one sentence is. No word is changed.
    """
    pieces = []
    begin = 0
    for boundary in BOUNDARY.finditer(line):
        piece = line[begin : boundary.end()].strip()
        if not boundary["next"].isupper() or ABBREVIATION.search(piece):
            continue
        pieces.append(piece)
        begin = boundary.end()
    pieces.append(line[begin:].strip())
    return [piece for piece in pieces if piece]


def documents_of(text: str, source: str) -> list[Document]:
    """Cut a file's text into documents of whole lines.

    A blank line ends a document. So does the line at which it passes 1,000 words (or a hundredth of the file, if that
    is less): a file without blank lines, a book with one paragraph a line for instance, is cut into pieces of about
    that size.

    Args:
        text: the file's content, with any line ends.
        source: its name.
    """
    lines = text.splitlines()
    words = [len(line.split()) for line in lines]
    limit = min(MAX_DOCUMENT_WORDS, max(1, sum(words) // MIN_DOCUMENTS))
    return [
        Document(source, tuple(sentence for line in block for sentence in split_sentences(line)))
        for block in _blocks(lines, words, limit)
    ]


def _blocks(lines: Sequence[str], words: Sequence[int], limit: int) -> Iterable[list[str]]:
    """Runs of lines with words in them, ended by a blank line or by reaching `limit` words."""
    block: list[str] = []
    held = 0
    for line, count in zip(lines, words, strict=True):
        if count:
            block.append(line)
            held += count
        if block and (not count or held >= limit):
            yield block
            block, held = [], 0
    if block:
        yield block
