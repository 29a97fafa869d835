"""Text of dev or test that also occurs in train: counted, since a model may know it by heart. Knows no files."""

from collections.abc import Sequence
from dataclasses import dataclass

from sleep_tune.data.documents import Document

__all__ = ["LONG_SENTENCE", "Overlap", "count_overlap"]

LONG_SENTENCE = 8
"""Words of a sentence that is unlikely to occur twice by chance."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of one split also occurs in train, word for word."""

    documents: int
    repeated_documents: int
    """Those of which a document of train has the very sentences."""
    words: int
    repeated_words: int
    """Words of the repeated documents."""
    sentences: int
    """Sentences of at least `LONG_SENTENCE` words."""
    repeated_sentences: int
    """Those that are a sentence of train: more than the documents tell where a text is cut in another way there."""


def count_overlap(train: Sequence[Document], held_out: Sequence[Document]) -> Overlap:
    """Count documents and long sentences of `held_out` that also occur in `train`.

    Args:
        train: preprocessed documents that are trained on.
        held_out: preprocessed documents of dev or test.
    """
    asked_documents = {document.sentences for document in held_out}
    asked_sentences = {text for document in held_out for text in document.sentences}
    known_documents = {document.sentences for document in train} & asked_documents
    known_sentences = {text for document in train for text in document.sentences if text in asked_sentences}
    repeated = [document for document in held_out if document.sentences in known_documents]
    long = [text for document in held_out for text in document.sentences if len(text.split()) >= LONG_SENTENCE]
    return Overlap(
        documents=len(held_out),
        repeated_documents=len(repeated),
        words=_num_words(held_out),
        repeated_words=_num_words(repeated),
        sentences=len(long),
        repeated_sentences=sum(text in known_sentences for text in long),
    )


def _num_words(documents: Sequence[Document]) -> int:
    return sum(len(text.split()) for document in documents for text in document.sentences)
