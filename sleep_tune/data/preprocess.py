"""Preprocessing of sentences: punctuation and whitespace.

A word, the unit of every budget, is a whitespace-separated string in what `preprocess` returns.
"""

import string
import unicodedata

__all__ = ["preprocess", "strip_punctuation"]

SPACE_LIKE = frozenset("\u2012\u2013\u2014\u2015\u2026")
"""Dashes and the ellipsis, which stand between words without spaces: each becomes a space, or words would be joined."""


class PunctuationTable(dict[int, str | int]):
    """Table for `str.translate` that is filled when a character first occurs."""

    def __missing__(self, code: int) -> str | int:
        """Drop punctuation (Unicode category P*, and the symbols of ASCII); keep all other characters."""
        character = chr(code)
        decision: str | int = code
        if character in SPACE_LIKE:
            decision = " "
        elif character in string.punctuation or unicodedata.category(character).startswith("P"):
            decision = ""
        self[code] = decision
        return decision


PUNCTUATION = PunctuationTable()


def strip_punctuation(text: str) -> str:
    """Return the text without punctuation: "don't!" becomes "dont"; a dash between words becomes a space."""
    return text.translate(PUNCTUATION)


def preprocess(sentence: str, *, include_punctuation: bool) -> str:
    """Return the words joined by single spaces, with or without punctuation; empty if nothing is left.

    Args:
        sentence: any text, with any whitespace.
        include_punctuation: False drops punctuation marks, and words that consist of nothing else.
    """
    return " ".join((sentence if include_punctuation else strip_punctuation(sentence)).split())
