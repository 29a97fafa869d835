"""Tokenizers that encode a word alone as they encode it within a sentence, and the words for which this holds."""

import json
import unicodedata
from collections.abc import Mapping
from string import printable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["encodes_words_alone", "is_plain"]

NORMALIZERS = frozenset({"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"})
"""Normalizers that change each word of plain characters by itself; others, such as Prepend, know a text's beginning."""

SPLITTERS: Mapping[str, Mapping[str, object]] = {
    "BertPreTokenizer": {},
    "ByteLevel": {"use_regex": True},
    "Metaspace": {"split": True},
    "Whitespace": {},
    "WhitespaceSplit": {},
}
"""Pre-tokenizers that split at every space -> settings with which they do."""

MODELS = frozenset({"BPE", "Unigram", "WordLevel", "WordPiece"})


def encodes_words_alone(tokenizer: "Tokenizer") -> bool:
    """Return whether a plain word gets the same tokens alone, with the space before it, as within a sentence.

    The answer is yes for kinds of tokenizers of which it is known, and no for all others.
    """
    saved = json.loads(tokenizer.to_str())
    normalizer, splitter, model = saved["normalizer"], saved["pre_tokenizer"], saved["model"]
    steps = normalizer["normalizers"] if _type(normalizer) == "Sequence" else [normalizer] if normalizer else []
    return (
        all(_type(step) in NORMALIZERS for step in steps)
        and _type(splitter) in SPLITTERS
        and all(splitter.get(name) == value for name, value in SPLITTERS[_type(splitter)].items())
        and _type(model) in MODELS
        and not model.get("dropout")
        and all(token["special"] for token in saved["added_tokens"])
    )


def is_plain(word: str) -> bool:
    """Return whether a word has only letters, digits and punctuation that no normal form splits, joins or removes."""
    if word.isascii():
        return word.isprintable()
    return unicodedata.is_normalized("NFKC", word) and all(
        letter in printable or unicodedata.category(letter)[0] in "LNP" for letter in word
    )


def _type(part: Any) -> str:
    """Return the type of a tokenizer's part; '' if there is none, and for models of old files, which do not say it."""
    return str(part.get("type", "")) if isinstance(part, dict) else ""
