"""Preprocessed text as numbers of its distinct words, in a temporary file.

Every step of preparation after reading works on these numbers: the split, the counts for training a tokenizer, the
overlap between splits, and encoding. Memory therefore grows with the vocabulary and the number of sentences, not with
the number of words.
"""

import tempfile
from array import array
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.documents import SPLITS, Document
from sleep_tune.data.preprocess import preprocess

__all__ = [
    "END",
    "LEFT_OUT",
    "PIECE",
    "MakeFile",
    "Numbering",
    "Sentences",
    "Spelling",
    "WordStore",
    "WordText",
    "temporary_files",
]

END = 0
"""Number that ends each sentence; it is no word."""
LEFT_OUT = -1
"""Split of the documents that are not used."""
PIECE = 2**17
"""Words that are held in memory at a time; a longer sentence is held whole."""


MakeFile = Callable[[], IO[bytes]]
"""Function that makes a temporary file."""


@contextmanager
def temporary_files(folder: Path) -> Iterator[MakeFile]:
    """Yield a function that makes a file without a name in `folder`; the files are gone after that, or after a kill."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(tempfile.TemporaryFile(dir=folder))


@dataclass(frozen=True, slots=True)
class Sentences:
    """S sentences as numbers of words."""

    words: NDArray[np.int32]
    """(W,) numbers of the running words, with END after each sentence."""
    sizes: NDArray[np.int32]
    """(S,) numbers of each sentence, its END included."""

    def chosen(self, mask: NDArray[np.bool_]) -> "Sentences":
        """Return the sentences at which `mask` (S,) is True."""
        return Sentences(self.words[np.repeat(mask, self.sizes)], self.sizes[mask])


@dataclass(frozen=True, slots=True)
class Spelling:
    """For each of V words some items, such as tokens; those of word 0 come first."""

    items: NDArray[np.int32]
    """(F,) items of all words, one word after another."""
    sizes: NDArray[np.int32]
    """(V,) number of items of each word."""

    def places(self, words: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Return where the items of running words are in `items`, (L,), and the number of items of each word, (W,)."""
        firsts = (np.cumsum(self.sizes, dtype=np.int64) - self.sizes)[words]
        lengths = self.sizes[words]
        begins = np.cumsum(lengths, dtype=np.int64) - lengths
        return np.arange(int(lengths.sum())) + np.repeat(firsts - begins, lengths), lengths


@dataclass(frozen=True)
class WordText:
    """D documents of S sentences with V distinct words."""

    words: list[str]
    """(V,) words by number; number END is no word."""
    sizes: NDArray[np.int32]
    """(S,) numbers of each sentence, its END included."""
    source_names: tuple[str, ...]
    source_of: NDArray[np.int32]
    """(D,) source of each document, as an index into `source_names`."""
    sentences_of: NDArray[np.int32]
    """(D,) sentences of each document; 0 if preprocessing left nothing of it."""
    split_of: NDArray[np.int8]
    """(D,) split of each document, as an index into SPLITS; or LEFT_OUT."""
    file: IO[bytes]
    """The numbers of all sentences, int32."""
    make_file: MakeFile
    """For what is made from the text."""

    @cached_property
    def split_of_sentence(self) -> NDArray[np.int8]:
        """(S,) split of each sentence."""
        return np.repeat(self.split_of, self.sentences_of)

    @cached_property
    def words_of(self) -> NDArray[np.int64]:
        """(D,) words of each document."""
        running = np.concatenate([[0], np.cumsum(self.sizes - 1, dtype=np.int64)])
        ends = np.cumsum(self.sentences_of)
        return np.asarray(running[ends] - running[ends - self.sentences_of])

    def documents(self, split: str) -> NDArray[np.int64]:
        """Return the positions of the documents of a split that have sentences."""
        return np.flatnonzero((self.split_of == SPLITS.index(split)) & (self.sentences_of > 0))

    def num_words(self, split: str) -> int:
        """Return the number of words in a split."""
        return int(self.words_of[self.split_of == SPLITS.index(split)].sum())

    def pieces(self, split: str | None = None) -> Iterator[Sentences]:
        """Yield the sentences of a split (by default all) in order, some at a time."""
        self.file.seek(0)
        ends = np.cumsum(self.sizes, dtype=np.int64)
        first = 0
        while first < len(ends):
            begin = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, begin + PIECE, side="right")))
            words = np.frombuffer(self.file.read(4 * (int(ends[last - 1]) - begin)), np.int32)
            piece = Sentences(words, self.sizes[first:last])
            if split is not None:
                piece = piece.chosen(self.split_of_sentence[first:last] == SPLITS.index(split))
            if len(piece.sizes):
                yield piece
            first = last

    def counts(self, split: str) -> NDArray[np.int64]:
        """Return how often each word occurs in a split: (V,); END is not counted."""
        total = np.zeros(len(self.words), np.int64)
        for piece in self.pieces(split):
            total += np.bincount(piece.words, minlength=len(total))
        total[END] = 0
        return total


class Numbering(dict[str, int]):
    """Text -> its number, in the order in which texts first occur."""

    def __missing__(self, text: str) -> int:
        self[text] = number = len(self)
        return number


class WordStore:
    """Writes documents as numbers of words."""

    def __init__(self, make_file: MakeFile, *, include_punctuation: bool) -> None:
        """Make the file of the numbers."""
        self._make_file, self._file = make_file, make_file()
        self._include_punctuation = include_punctuation
        self._numbers = Numbering({" ": END})  # no word contains a space
        self._buffer: list[int] = []
        self._sizes = array("i")
        self._sources = Numbering()
        self._source_of, self._sentences_of, self._split_of = array("i"), array("i"), array("b")

    def add(self, document: Document, split: str) -> None:
        """Store the preprocessed sentences of a document; those that are empty then are dropped."""
        numbers, buffer, before = self._numbers, self._buffer, len(self._sizes)
        for sentence in document.sentences:
            text = preprocess(sentence, include_punctuation=self._include_punctuation)
            if text:
                found = [numbers[word] for word in text.split(" ")]
                buffer += found
                buffer.append(END)
                self._sizes.append(len(found) + 1)
        self._source_of.append(self._sources[document.source])
        self._sentences_of.append(len(self._sizes) - before)
        self._split_of.append(SPLITS.index(split))
        if len(buffer) >= PIECE:
            self._flush()

    def finish(self) -> WordText:
        """Return the text; nothing can be added after that."""
        self._flush()
        words = list(self._numbers)
        self._numbers.clear()
        return WordText(
            words,
            np.asarray(self._sizes, np.int32),
            tuple(self._sources),
            np.asarray(self._source_of, np.int32),
            np.asarray(self._sentences_of, np.int32),
            np.asarray(self._split_of, np.int8),
            self._file,
            self._make_file,
        )

    def _flush(self) -> None:
        self._file.write(np.asarray(self._buffer, np.int32).data)
        self._buffer.clear()
