"""Packing of a stream of tokens into rows of equal length, which are written to files.

The stream is packed in document order, and nothing is dropped. If sentences are joined, only the last row is padded.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.encoding import TokenStream
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["ARRAYS", "Packing", "Rows", "count_rows", "pack", "save_rows"]

ARRAYS = ("tokens", "starts_word", "sources")
"""Arrays of rows, each of which has a file."""


@dataclass(frozen=True, slots=True)
class Rows:
    """N packed rows of T tokens: `special.start`, content, padding."""

    tokens: NDArray[np.integer]
    """(N, T) token ids; int16 if the vocabulary fits, else int32."""
    starts_word: NDArray[np.bool_]
    """(N, T) True at the first token of each word."""
    sources: NDArray[np.int16]
    """(N,) source of each row's first content token."""


@dataclass(frozen=True, slots=True)
class Packing:
    """How rows are made."""

    special: SpecialTokens
    """Ids of start, separator, pad and mask."""
    vocab_size: int
    """Number of token ids; determines the integer type of the rows."""
    max_length: int
    """T, tokens in a row including the start token, >= 2."""
    join_sentences: bool
    """Pack sentences one after another, cutting them where a row is full; otherwise each sentence starts a row of its
    own, and a long one continues in the next rows."""

    @property
    def bytes_of_row(self) -> int:
        """Bytes of a row in all arrays."""
        return self.max_length * (np.dtype(self.dtype).itemsize + 1) + 2

    @property
    def dtype(self) -> type[np.integer[Any]]:
        """Integer type of the rows' tokens."""
        return np.int16 if self.vocab_size <= np.iinfo(np.int16).max else np.int32


def count_rows(lengths: NDArray[np.int32], packing: Packing) -> int:
    """Return the number of rows that sentences fill.

    Args:
        lengths: (S,) tokens of each sentence, its separator included.
        packing: how rows are made.
    """
    capacity = packing.max_length - 1
    if packing.join_sentences:
        return -(-int(lengths.sum(dtype=np.int64)) // capacity)
    return int((-(-lengths // capacity)).sum(dtype=np.int64))


def pack(streams: Iterable[TokenStream], sources: NDArray[np.int16], packing: Packing) -> Iterator[Rows]:
    """Yield the rows of the sentences of `streams`, some at a time.

    Args:
        streams: pieces of whole sentences, each sentence with its separator.
        sources: (S,) the source of each sentence of all pieces.
        packing: how rows are made.
    """
    return (_pack_joined if packing.join_sentences else _pack_separate)(streams, sources, packing)


def save_rows(rows: Iterable[Rows], num_rows: int, packing: Packing, folder: Path, split: str) -> None:
    """Write rows as `numpy.save` would write all of them, into <split>-tokens.npy and so on.

    Args:
        rows: pieces of the rows.
        num_rows: N, rows of all pieces.
        packing: how rows are made.
        folder: exists.
        split: name of the split.
    """
    empty = _empty_rows(0, packing)
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / f"{split}-{name}.npy").open("wb")) for name in ARRAYS}
        for name, file in files.items():
            header = np.lib.format.header_data_from_array_1_0(getattr(empty, name))
            header["shape"] = (num_rows, *header["shape"][1:])
            np.lib.format.write_array_header_1_0(file, header)
        for piece in rows:
            for name, file in files.items():
                file.write(np.ascontiguousarray(getattr(piece, name)).data)


def _empty_rows(num_rows: int, packing: Packing) -> Rows:
    """Return rows that hold the start token and padding."""
    tokens = np.full((num_rows, packing.max_length), packing.special.pad, packing.dtype)
    tokens[:, 0] = packing.special.start
    return Rows(tokens, np.zeros((num_rows, packing.max_length), np.bool_), np.zeros(num_rows, np.int16))


def _pack_joined(streams: Iterable[TokenStream], sources: NDArray[np.int16], packing: Packing) -> Iterator[Rows]:
    """Yield full rows, and a last one that is padded; a row may continue in the next piece."""
    capacity = packing.max_length - 1
    tokens, starts_word, source = np.zeros(0, np.int32), np.zeros(0, np.bool_), np.zeros(1, np.int16)
    first = 0
    for stream in streams:
        here = np.concatenate([source, sources[first : first + len(stream.lengths)]])
        first += len(stream.lengths)
        ends = np.cumsum(np.concatenate([[len(tokens)], stream.lengths]))
        tokens, starts_word = np.concatenate([tokens, stream.tokens]), np.concatenate([starts_word, stream.starts_word])
        source_of_row = here[np.searchsorted(ends, np.arange(0, len(tokens), capacity), side="right")]
        full = len(tokens) // capacity
        rows = _empty_rows(full, packing)
        rows.tokens[:, 1:] = tokens[: full * capacity].reshape(full, capacity)
        rows.starts_word[:, 1:] = starts_word[: full * capacity].reshape(full, capacity)
        rows.sources[:] = source_of_row[:full]
        yield rows
        tokens, starts_word, source = tokens[full * capacity :], starts_word[full * capacity :], source_of_row[full:]
        source = source if len(source) else np.zeros(1, np.int16)
    if len(tokens):
        rows = _empty_rows(1, packing)
        rows.tokens[0, 1 : 1 + len(tokens)] = tokens
        rows.starts_word[0, 1 : 1 + len(tokens)] = starts_word
        rows.sources[:] = source
        yield rows


def _pack_separate(streams: Iterable[TokenStream], sources: NDArray[np.int16], packing: Packing) -> Iterator[Rows]:
    """Yield rows of one sentence each; a long sentence has several."""
    capacity = packing.max_length - 1
    first = 0
    for stream in streams:
        rows_of = -(-stream.lengths // capacity)
        begins = np.cumsum(stream.lengths) - stream.lengths
        within = np.arange(len(stream.tokens)) - np.repeat(begins, stream.lengths)
        row = np.repeat(np.cumsum(rows_of) - rows_of, stream.lengths) + within // capacity
        rows = _empty_rows(int(rows_of.sum()), packing)
        rows.tokens[row, within % capacity + 1] = stream.tokens
        rows.starts_word[row, within % capacity + 1] = stream.starts_word
        rows.sources[:] = np.repeat(sources[first : first + len(stream.lengths)], rows_of)
        first += len(stream.lengths)
        yield rows
