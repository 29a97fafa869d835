"""Index of the sentences in the packed corpus: where each begins and how long it is.

A sentence ends with a separator or at the edge of its row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.samples import Samples

__all__ = ["SentenceIndex", "content_lengths", "index_sentences"]

_CHUNK_TOKENS = 1 << 24
"""Tokens read at once, so that a corpus larger than memory can be indexed."""


@dataclass(frozen=True, slots=True)
class SentenceIndex:
    """Begin and length of each of the S sentences of a corpus of N rows of T tokens, in the order of the corpus.

    A sentence that is cut by the edge of a row counts as two.
    """

    begins: NDArray[np.int64]
    """(S,) position of the first token in the flattened tokens, in [0, N * T)."""
    lengths: NDArray[np.int32]
    """(S,) number of tokens, the separator included, in [1, T - 1]."""
    before: NDArray[np.int64]
    """(N + 1,) number of sentences before each sample; the last is S."""

    def of_samples(self, samples: NDArray[np.int32]) -> NDArray[np.int64]:
        """Return the indices, in [0, S), of all sentences of samples (R,), sample by sample in the given order."""
        first = self.before[samples]
        counts = self.before[samples.astype(np.int64) + 1] - first
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        return np.asarray(np.arange(total) + np.repeat(first - (ends - counts), counts))


def content_lengths(samples: Samples) -> NDArray[np.int32]:
    """Return the number of content tokens (text and separators) of each sample, (N,) int32 in [0, T - 1]."""
    lengths = np.empty(len(samples), np.int32)
    for start, tokens in _chunks(samples):
        lengths[start : start + len(tokens)] = (tokens[:, 1:] != samples.special.pad).sum(axis=1)
    return lengths


def index_sentences(samples: Samples) -> SentenceIndex:
    """Return the index of every sentence of the corpus, which is read once, in chunks."""
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
    return SentenceIndex(np.concatenate(begins), np.concatenate(lengths), before)


def _chunks(samples: Samples) -> list[tuple[int, NDArray[np.integer]]]:
    """Return views of consecutive rows (R, T), each with the index of its first row."""
    step = max(1, _CHUNK_TOKENS // samples.max_length)
    return [(start, samples.tokens[start : start + step]) for start in range(0, len(samples), step)]
