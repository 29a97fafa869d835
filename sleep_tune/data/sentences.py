"""Cutting of a text file into documents, and of its lines into sentences."""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from sleep_tune.data.documents import Document

__all__ = ["cut_documents", "split_sentences"]

MAX_DOCUMENT_WORDS = 1000
"""Words at which a document ends: a novel without blank lines could else only go to one split as a whole."""
MIN_DOCUMENTS = 100
"""A short text is cut into about this many documents, so that a share of 5% can be drawn."""

CLOSING = re.escape("\"')]\u201d\u2019\u00bb")
OPENING = re.escape("\"'([\u201c\u2018\u00ab\u2013\u2014-")
"""Quotes, brackets and dashes around a sentence."""
BOUNDARY = re.compile(rf"[.!?\u2026][{CLOSING}]*\s+(?=[{OPENING}]*(?P<next>\w))")
"""End of a sentence: its mark, closing quotes or brackets, space, and the letter that follows."""
ABBREVIATION = re.compile(
    rf"(?:^|[\s{OPENING}])"
    r"(?:[A-Z]|Mr|Mrs|Ms|Messrs|Mme|Dr|St|Prof|Rev|Gen|Col|Capt|Lt|Sgt|Hon|Jr|Sr|vs|No|Vol)\.$"
)
"""Titles and initials, after which a capital letter does not begin a sentence."""
LONGEST_ABBREVIATION = len(" Messrs.")
"""Characters of the longest match, the one before it included."""


def split_sentences(line: str) -> list[str]:
    """Return the sentences of a line: they end at `.`, `!`, `?` or an ellipsis before space and a capital letter.

    Trade-off: two patterns give the same sentences on every machine and in every version, which a trained splitter does
    not. In unclear cases the line is not cut ("He said 'why?' and left"). No word is changed.
    """
    pieces = []
    begin = 0
    for boundary in BOUNDARY.finditer(line):
        piece = line[begin : boundary.end()].strip()
        if not boundary["next"].isupper() or ABBREVIATION.search(piece, max(0, len(piece) - LONGEST_ABBREVIATION)):
            continue
        pieces.append(piece)
        begin = boundary.end()
    pieces.append(line[begin:].strip())
    return [piece for piece in pieces if piece]


def cut_documents(texts: Iterable[str], source: str) -> Iterator[Document]:
    """Yield the documents of a file, each of whole lines.

    A blank line ends a document. So does the line at which it reaches 1,000 words (or a hundredth of the file, if that
    is less), so that a file without blank lines is cut into pieces of about that size.

    Args:
        texts: the file's content, with any line ends, in pieces of whole lines.
        source: name of the file.
    """
    lines = ((line, len(line.split())) for text in texts for line in text.splitlines())
    begun: list[tuple[str, int]] = []
    num_words = 0
    for line, count in lines:
        begun.append((line, count))
        num_words += count
        if num_words >= MIN_DOCUMENTS * MAX_DOCUMENT_WORDS:
            break
    limit = min(MAX_DOCUMENT_WORDS, max(1, num_words // MIN_DOCUMENTS))
    for block in _blocks(chain(begun, lines), limit):
        yield Document(source, tuple(sentence for line in block for sentence in split_sentences(line)))


def _blocks(lines: Iterable[tuple[str, int]], limit: int) -> Iterator[list[str]]:
    """Yield blocks of lines that hold words; a block ends at a blank line or when it reaches `limit` words.

    Args:
        lines: each with its number of words.
        limit: words.
    """
    block: list[str] = []
    held = 0
    for line, count in lines:
        if count:
            block.append(line)
            held += count
        if block and (not count or held >= limit):
            yield block
            block, held = [], 0
    if block:
        yield block
