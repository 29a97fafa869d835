"""Counts of dev or test text that also occurs in train, since a model may have memorised it."""

import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.documents import SPLITS
from sleep_tune.data.word_store import END, Numbering, Spelling, WordText

__all__ = ["LONG_SENTENCE", "Overlap", "count_overlap"]

LONG_SENTENCE = 8
"""Words in a sentence that is unlikely to occur twice by chance."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of one split also occurs in train, word for word, ignoring case."""

    documents: int
    repeated_documents: int
    """Documents that are equal to a document of train."""
    words: int
    repeated_words: int
    """Words of the repeated documents."""
    sentences: int
    """Sentences of at least `LONG_SENTENCE` words."""
    repeated_sentences: int
    """Long sentences that also occur in train; they count text that is cut into other documents there, too."""


def count_overlap(text: WordText) -> dict[str, Overlap]:
    """Return, for dev and test, how many documents and long sentences also occur in train.

    Case and the Unicode form of characters are ignored (NFKC): such a copy can be memorised as well.

    Sentences and documents are compared by hashes of 64 bits (`_hash`). A false match has a chance of about one in a
    million in a text of 100 million words.
    """
    spelling, num_words = _fold(text.words)
    codes = _draw(0, int(spelling.items.max()) + 1)
    hashes, lengths = np.empty(len(text.sizes), np.uint64), np.empty(len(text.sizes), np.int32)
    first = 0
    for piece in text.pieces():
        places, sizes = spelling.places(piece.words)
        here = slice(first, first + len(piece.sizes))
        first = here.stop
        begins = _starts(piece.sizes)
        lengths[here] = np.add.reduceat(num_words[piece.words], begins)
        hashes[here] = _hash(codes[spelling.items[places]], np.add.reduceat(sizes, begins))
    filled = text.sentences_of > 0
    of_document = np.zeros(len(text.split_of), np.uint64)
    of_document[filled] = _hash(hashes, text.sentences_of[filled])
    in_train = text.split_of_sentence == SPLITS.index("train")
    trained, trained_documents = hashes[in_train], of_document[text.documents("train")]
    overlaps = {}
    for split in ("dev", "test"):
        documents = text.documents(split)
        repeated = documents[np.isin(of_document[documents], trained_documents)]
        is_long = (text.split_of_sentence == SPLITS.index(split)) & (lengths >= LONG_SENTENCE)
        overlaps[split] = Overlap(
            documents=len(documents),
            repeated_documents=len(repeated),
            words=int(text.words_of[documents].sum()),
            repeated_words=int(text.words_of[repeated].sum()),
            sentences=int(np.count_nonzero(is_long)),
            repeated_sentences=int(np.count_nonzero(np.isin(hashes[is_long], trained))),
        )
    return overlaps


def _fold(words: Sequence[str]) -> tuple[Spelling, NDArray[np.int32]]:
    """Return each word in a form in which words that differ in case or Unicode form alone are equal.

    The form of a few characters holds spaces, so a word may become several or none.

    Returns:
        The numbers of what stands between spaces in each word's form; and how many words these are, (V,).
    """
    numbers = Numbering({" ": END})
    items, sizes, num_words = array("i", [END]), array("i", [1]), array("i", [0])
    for word in islice(words, 1, None):
        folded = word.lower() if word.isascii() else unicodedata.normalize("NFKC", word).casefold()
        parts = folded.split(" ")
        items.extend([numbers[part] for part in parts])
        sizes.append(len(parts))
        num_words.append(len(folded.split()))
    return Spelling(np.asarray(items, np.int32), np.asarray(sizes, np.int32)), np.asarray(num_words, np.int32)


def _hash(codes: NDArray[np.uint64], sizes: NDArray[np.int32]) -> NDArray[np.uint64]:
    """Return a hash of each of N sequences: the sum of its codes, each multiplied by a random number of its place.

    Args:
        codes: random numbers that stand for the items, one sequence after another.
        sizes: (N,) items of each sequence, >= 1.
    """
    places = np.arange(len(codes)) - np.repeat(_starts(sizes), sizes)
    weights = _draw(1, int(sizes.max(initial=1))) | np.uint64(1)
    return np.add.reduceat(codes * weights[places], _starts(sizes)) if len(sizes) else np.zeros(0, np.uint64)


def _starts(sizes: NDArray[np.int32]) -> NDArray[np.int64]:
    return np.cumsum(sizes, dtype=np.int64) - sizes


def _draw(seed: int, number: int) -> NDArray[np.uint64]:
    """Return random numbers; more of them begin with the same ones."""
    return np.random.default_rng(seed).integers(2**64, size=number, dtype=np.uint64)
