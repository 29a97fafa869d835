"""Encoding of sentences as one stream of tokens, in which the first token of each word is marked.

The whole split is encoded at once and in order, so the stream depends on text and tokenizer alone (and not, as when
batches are mapped in several processes, on their number).
"""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["TokenStream", "count_words", "encode_by_offsets", "encode_by_words", "mean_unspaced_length", "one_thread"]

UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff]")
"""A letter of Thai, Lao, Burmese, Khmer, Japanese or Chinese."""
CHUNK = 4096
"""Strings given to the tokenizer at a time."""


@dataclass(frozen=True, slots=True)
class TokenStream:
    """S sentences as L tokens, each sentence followed by its separator."""

    tokens: NDArray[np.int32]
    """(L,) token ids."""
    starts_word: NDArray[np.bool_]
    """(L,) True at the first token of each whitespace-separated word."""
    lengths: NDArray[np.int64]
    """(S,) tokens of each sentence, its separator included."""


def count_words(sentences: Iterable[str]) -> int:
    """Return the number of words in preprocessed sentences, which have one space between two words."""
    return sum(sentence.count(" ") + 1 for sentence in sentences)


def mean_unspaced_length(sentences: Iterable[str]) -> float:
    """Return the mean length, in characters, of the words in scripts that are written without spaces; 0 without any.

    In segmented text it is about 2 for Chinese and Japanese, 4 for Thai; a sentence that was not segmented is one word.
    """
    words = [
        word
        for sentence in sentences
        if not sentence.isascii() and UNSPACED.search(sentence)
        for word in sentence.split(" ")
        if UNSPACED.search(word)
    ]
    return sum(map(len, words)) / max(1, len(words))


@contextmanager
def one_thread() -> Iterator[None]:
    """Run `tokenizers` on one thread, unless TOKENIZERS_PARALLELISM says otherwise.

    Its thread pool does not survive a fork, and once used it warns at every fork. A search forks.
    """
    name = "TOKENIZERS_PARALLELISM"
    if name in os.environ:
        yield
        return
    os.environ[name] = "false"
    try:
        yield
    finally:
        os.environ.pop(name, None)


class Numbering(dict[str, int]):
    """Word -> its number, in the order in which words first occur."""

    def __missing__(self, word: str) -> int:
        self[word] = number = len(self)
        return number


def encode_by_words(tokenizer: "Tokenizer", sentences: Sequence[str], separator: int) -> TokenStream:
    """Encode each distinct word once and look up its later occurrences: 50 times faster on 10 million words.

    Exact for a tokenizer that never merges over a space and encodes the first word of a text like any other, as our
    byte-level BPE with its prefix space does. For other tokenizers use `encode_by_offsets`.

    Args:
        tokenizer: with `encode_special_tokens` set, so that special tokens spelt in a text are text.
        sentences: S preprocessed sentences.
        separator: id of the token that ends each sentence.
    """
    numbers = Numbering()
    end_of_sentence = numbers[" "]  # no word contains a space
    words: list[int] = []
    counts = []
    for sentence in sentences:
        found = [numbers[word] for word in sentence.split(" ")]
        words += found
        words.append(end_of_sentence)
        counts.append(len(found) + 1)
    vocabulary = list(numbers)[1:]
    with one_thread():
        encoded = [
            encoding.ids
            for at in range(0, len(vocabulary), CHUNK)
            for encoding in tokenizer.encode_batch(vocabulary[at : at + CHUNK], add_special_tokens=False)
        ]
    pieces = [[separator], *encoded]
    sizes = np.fromiter((len(piece) for piece in pieces), np.int64, len(pieces))
    flat = np.fromiter((token for piece in pieces for token in piece), np.int32, int(sizes.sum()))
    return _spell(np.asarray(words, np.int32), np.asarray(counts, np.int64), flat, sizes)


def _spell(
    words: NDArray[np.int32], counts: NDArray[np.int64], flat: NDArray[np.int32], sizes: NDArray[np.int64]
) -> TokenStream:
    """Replace each word by its tokens; word 0 is the separator.

    Args:
        words: (W,) numbers of the running words, including separators.
        counts: (S,) running words of each sentence, its separator included.
        flat: (F,) tokens of the distinct words, one word after another.
        sizes: (V,) number of tokens of each distinct word.
    """
    first = np.cumsum(sizes) - sizes
    lengths = sizes[words]
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    begins = ends - lengths
    within = np.arange(total) - np.repeat(begins, lengths)
    tokens = flat[np.repeat(first[words], lengths) + within]
    starts_word = np.zeros(total, np.bool_)
    starts_word[begins[(words != 0) & (lengths > 0)]] = True
    last_words = np.cumsum(counts) - 1
    return TokenStream(tokens, starts_word, np.diff(ends[last_words], prepend=0).astype(np.int64))


def encode_by_offsets(tokenizer: "Tokenizer", sentences: Sequence[str], separator: int) -> TokenStream:
    """Encode whole sentences with any tokenizer; a word starts at the first token that covers one of its characters.

    A word that shares its only token with the word before it is not counted (some tokenizers merge over spaces), nor is
    a word that the tokenizer drops. Budgets count words in the same way, so all runs with one tokenizer are comparable.

    Args:
        tokenizer: with `encode_special_tokens` set, so that special tokens spelt in a text are text.
        sentences: S preprocessed sentences.
        separator: id of the token that ends each sentence.
    """
    tokens: list[int] = []
    flags = []
    lengths = []
    for at in range(0, len(sentences), CHUNK):
        chunk = sentences[at : at + CHUNK]
        with one_thread():
            encodings = tokenizer.encode_batch(list(chunk), add_special_tokens=False)
        for sentence, encoding in zip(chunk, encodings, strict=True):
            tokens += encoding.ids
            tokens.append(separator)
            flags.append(_word_starts(sentence, [end for _, end in encoding.offsets]))
            lengths.append(len(encoding.ids) + 1)
    starts_word = np.concatenate(flags) if flags else np.zeros(0, np.bool_)
    return TokenStream(np.asarray(tokens, np.int32), starts_word, np.asarray(lengths, np.int64))


def _word_starts(sentence: str, ends: list[int]) -> NDArray[np.bool_]:
    """Return (tokens + 1,) flags, True where a word of `sentence` starts; the last position is the separator's."""
    flags = np.zeros(len(ends) + 1, np.bool_)
    sizes = np.fromiter((len(word) for word in sentence.split(" ")), np.int64)
    starts = np.cumsum(sizes + 1) - sizes - 1
    flags[np.searchsorted(np.maximum.accumulate(ends), starts, side="right")] = True
    flags[-1] = False
    return flags
