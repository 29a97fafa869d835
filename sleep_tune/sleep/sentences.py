"""Where sentences lie in the packed corpus. Knows no text: a sentence is what a separator or the edge of a row ends."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.samples import Samples

__all__ = ["Sentences", "content_lengths", "split_sentences"]

_CHUNK_TOKENS = 1 << 24
"""Tokens looked at in one go, so that a corpus larger than memory needs little of it."""


@dataclass(frozen=True, slots=True)
class Sentences:
    """Every sentence of the corpus, S in all, in reading order; fragments at the edges of rows are sentences."""

    begins: NDArray[np.int64]
    """(S,) position of the first token in the flattened (N x T) tokens."""
    lengths: NDArray[np.int32]
    """(S,) tokens, the separator included."""
    before: NDArray[np.int64]
    """(N + 1,) sentences before each sample."""

    def of_samples(self, samples: NDArray[np.int32]) -> NDArray[np.int64]:
        """Indices of the sentences of some samples, sample by sample."""
        first = self.before[samples]
        counts = self.before[samples.astype(np.int64) + 1] - first
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        return np.asarray(np.arange(total) + np.repeat(first - (ends - counts), counts))


def content_lengths(samples: Samples) -> NDArray[np.int32]:
    """Content tokens (text and separators) of each sample, shape (N,)."""
    lengths = np.empty(len(samples), np.int32)
    for start, tokens in _chunks(samples):
        lengths[start : start + len(tokens)] = (tokens[:, 1:] != samples.special.pad).sum(axis=1)
    return lengths


def split_sentences(samples: Samples) -> Sentences:
    """Find every sentence: one separator, or the edge of the row, ends it."""
    width = samples.max_length
    begins, lengths, counts = [], [], []
    for start, tokens in _chunks(samples):
        content = (tokens[:, 1:] != samples.special.pad).sum(axis=1)
        ends = tokens == samples.special.separator
        ends[:, 0] = False  # the start of a row may be the same token
        ends[np.arange(len(tokens)), content] = content > 0
        counts.append(ends.sum(axis=1))
        stop = np.flatnonzero(ends) + 1
        begin = np.empty_like(stop)
        begin[1:] = stop[:-1]
        rows = np.flatnonzero(content)
        first = np.cumsum(counts[-1]) - counts[-1]  # sentences of the chunk before each row
        begin[first[rows]] = rows * width + 1
        begins.append(begin + start * width)
        lengths.append((stop - begin).astype(np.int32))
    before = np.zeros(len(samples) + 1, np.int64)
    np.cumsum(np.concatenate(counts), out=before[1:])
    return Sentences(np.concatenate(begins), np.concatenate(lengths), before)


def _chunks(samples: Samples) -> list[tuple[int, NDArray[np.integer]]]:
    """Views of the tokens, some rows at a time, each with the index of its first row."""
    step = max(1, _CHUNK_TOKENS // samples.max_length)
    return [(start, samples.tokens[start : start + step]) for start in range(0, len(samples), step)]
