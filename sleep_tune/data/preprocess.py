"""What is done to a sentence before it becomes tokens: punctuation and whitespace. Knows no files and no tokens.

A word, the unit of every budget, is a whitespace-separated string of what `preprocess` returns.
"""

import string
import unicodedata

__all__ = ["preprocess", "strip_punctuation"]

SPACE_LIKE = frozenset("\u2012\u2013\u2014\u2015\u2026")
"""Dashes and the ellipsis stand between words without spaces around them: dropping one must not join its neighbours."""


class PunctuationTable(dict[int, str | int]):
    """A table for `str.translate` that decides about each character once, when it is first met."""

    def __missing__(self, code: int) -> str | int:
        """Drop punctuation (Unicode P*, and ASCII's symbols as the ancestor did), keep the rest."""
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
    """Drop every punctuation mark: "don't!" becomes "dont"; a dash between words becomes a space."""
    return text.translate(PUNCTUATION)


def preprocess(sentence: str, *, include_punctuation: bool) -> str:
    """Words joined by single spaces, with or without punctuation; empty if nothing is left.

    Args:
        sentence: any text, with any whitespace.
        include_punctuation: False drops punctuation marks, and words that consist of nothing else.
    """
    return " ".join((sentence if include_punctuation else strip_punctuation(sentence)).split())
