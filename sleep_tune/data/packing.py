"""Packing of a stream of tokens into rows of equal length.

The stream is packed in document order, and nothing is dropped. If sentences are joined, only the last row is padded.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.encoding import TokenStream
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["Rows", "pack"]


@dataclass(frozen=True, slots=True)
class Rows:
    """N packed rows of T tokens: `special.start`, content, padding."""

    tokens: NDArray[np.integer]
    """(N, T) token ids; int16 if the vocabulary fits, else int32."""
    starts_word: NDArray[np.bool_]
    """(N, T) True at the first token of each word."""
    sources: NDArray[np.int16]
    """(N,) source of each row's first content token."""


def pack(
    stream: TokenStream,
    sources: NDArray[np.int16],
    *,
    special: SpecialTokens,
    vocab_size: int,
    max_length: int,
    join_sentences: bool,
) -> Rows:
    """Cut a stream into rows of `max_length` tokens.

    Args:
        stream: the sentences' tokens, each sentence with its separator.
        sources: (S,) the source of each sentence.
        special: ids of start, separator, pad and mask.
        vocab_size: number of token ids; determines the integer type of the rows.
        max_length: T, tokens in a row including the start token, >= 2.
        join_sentences: pack sentences one after another, cutting them where a row is full; otherwise each sentence
            starts a row of its own, and a long one continues in the next rows.
    """
    capacity = max_length - 1
    total = len(stream.tokens)
    positions = np.arange(total)
    if join_sentences:
        row, column = positions // capacity, positions % capacity
        num_rows = -(-total // capacity)
    else:
        rows_of = -(-stream.lengths // capacity)
        first_row = np.cumsum(rows_of) - rows_of
        begins = np.cumsum(stream.lengths) - stream.lengths
        within = positions - np.repeat(begins, stream.lengths)
        row = np.repeat(first_row, stream.lengths) + within // capacity
        column = within % capacity
        num_rows = int(rows_of.sum())
    dtype = np.int16 if vocab_size <= np.iinfo(np.int16).max else np.int32
    tokens = np.full((num_rows, max_length), special.pad, dtype)
    tokens[:, 0] = special.start
    tokens[row, column + 1] = stream.tokens
    starts_word = np.zeros((num_rows, max_length), np.bool_)
    starts_word[row, column + 1] = stream.starts_word
    firsts = np.flatnonzero(column == 0)
    sentence_of_first = np.searchsorted(np.cumsum(stream.lengths), firsts, side="right")
    return Rows(tokens, starts_word, np.asarray(sources, np.int16)[sentence_of_first])
