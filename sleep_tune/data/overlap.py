"""Counts of dev or test text that also occurs in train, since a model may have memorised it."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from sleep_tune.data.documents import Document

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


def count_overlap(train: Sequence[Document], held_out: Sequence[Document]) -> Overlap:
    """Count documents and long sentences of `held_out` that also occur in `train`.

    Case and the Unicode form of characters are ignored (NFKC): such a copy can be memorised as well.

    Args:
        train: preprocessed documents of the training text.
        held_out: preprocessed documents of dev or test.
    """
    asked = [_folded(document) for document in held_out]
    asked_documents, asked_sentences = set(asked), {text for texts in asked for text in texts}
    known_documents: set[tuple[str, ...]] = set()
    known_sentences: set[str] = set()
    for document in train:  # one by one: a copy of all of it may not fit into memory
        texts = _folded(document)
        known_documents |= {texts} & asked_documents
        known_sentences |= asked_sentences.intersection(texts)
    repeated = [document for document, texts in zip(held_out, asked, strict=True) if texts in known_documents]
    long = [text for texts in asked for text in texts if len(text.split()) >= LONG_SENTENCE]
    return Overlap(
        documents=len(held_out),
        repeated_documents=len(repeated),
        words=_num_words(held_out),
        repeated_words=_num_words(repeated),
        sentences=len(long),
        repeated_sentences=sum(text in known_sentences for text in long),
    )


def _folded(document: Document) -> tuple[str, ...]:
    """Return the sentences in a form in which those that differ in case or Unicode form alone are equal."""
    return tuple(unicodedata.normalize("NFKC", text).casefold() for text in document.sentences)


def _num_words(documents: Sequence[Document]) -> int:
    return sum(len(text.split()) for document in documents for text in document.sentences)
