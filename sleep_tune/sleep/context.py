"""Replay contexts: whether a sleep phase sees whole rows, rows cut anew, or shuffled sentences.

A context is a function (samples) -> (order, rng) -> `ReplayPass`; `CONTEXTS` is the only list of them. Every row has
the format of a row that is read awake (start, content, padding), and one pass over all samples holds all words of the
corpus.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sentence_index import SentenceIndex, content_lengths, index_sentences

__all__ = ["CONTEXTS", "Context", "MakePass", "ReplayPass", "ReplayRows", "gather_rows", "join_rows"]


@dataclass(frozen=True, slots=True)
class ReplayRows:
    """R rows of a pass over a buffer."""

    input_ids: NDArray[np.int32]
    """(R, T) token ids."""
    sample_ids: NDArray[np.int32]
    """(R, T) the sample that each text token comes from; -1 on special tokens and padding."""
    begun: NDArray[np.int32]
    """Samples whose first content token is in these rows: each once in a pass, to count its exposures."""
    words: int
    """Words that begin in these rows."""
    replays: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    """(R,) passes over the buffer before that of each row; filled in by what reads pass after pass."""


class ReplayPass(Protocol):
    """One pass over a buffer, whose rows are made when they are taken.

    A cursor, 0 at the start, says how much of it has been taken; each context defines its unit.
    """

    @property
    def end(self) -> int:
        """Value of the cursor when nothing is left."""
        ...

    def take(self, cursor: int, count: int) -> tuple[ReplayRows, int]:
        """Return between 1 and `count` rows from `cursor` < end on, and the cursor after them."""
        ...


MakePass = Callable[[NDArray[np.int32], np.random.Generator], ReplayPass]
"""(n,) samples of a buffer in their order of replay, random stream -> the pass."""
Context = Callable[[Samples], MakePass]
"""Corpus -> what makes passes over its samples."""


def gather_rows(samples: Samples, rows: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return token ids and samples of whole rows.

    Args:
        samples: the corpus.
        rows: (R,) samples in [0, N).

    Returns:
        (R, T) token ids, and (R, T) the sample that each text token comes from, -1 on special tokens and padding.
    """
    tokens = samples.tokens[rows]
    return tokens.astype(np.int32), np.where(_is_text(samples, tokens), rows[:, None], np.int32(-1))


def join_rows(parts: Sequence[ReplayRows]) -> ReplayRows:
    """Return the rows of all parts, >= 1 of them, as one."""
    return ReplayRows(
        input_ids=np.concatenate([part.input_ids for part in parts]),
        sample_ids=np.concatenate([part.sample_ids for part in parts]),
        begun=np.concatenate([part.begun for part in parts]),
        words=sum(part.words for part in parts),
        replays=np.concatenate([part.replays for part in parts]),
    )


def keep(samples: Samples) -> MakePass:
    """Replay whole rows, in the order of the pass. The cursor counts rows."""
    return lambda order, rng: _KeptPass(samples, order)


def repack(samples: Samples) -> MakePass:
    """Replay the content of all rows joined into a ring, rotated, and cut into rows anew. The cursor counts rows.

    The rotation by [0, T - 1) tokens moves the cuts: without it, full rows would be cut exactly where they were. The
    last row of a pass may be padded.
    """
    lengths = content_lengths(samples)
    offsets = max(samples.max_length - 1, 1)
    return lambda order, rng: _RepackedPass(samples, order, lengths[order], int(rng.integers(offsets)))


def shuffle(samples: Samples) -> MakePass:
    """Replay the sentences of all rows in random order, never cutting one. The cursor counts sentences.

    A part of a sentence that the edge of a row has cut off counts as a sentence. A row ends where the next sentence
    does not fit. A sample counts as seen when its first sentence is replayed.
    """
    sentences = index_sentences(samples)

    def make(order: NDArray[np.int32], rng: np.random.Generator) -> ReplayPass:
        drawn = sentences.of_samples(order)
        rng.shuffle(drawn)
        return _ShuffledPass(samples, sentences, drawn)

    return make


CONTEXTS: dict[str, Context] = {"keep": keep, "repack": repack, "shuffle": shuffle}
"""Name of `sleep.context` -> context."""


class _KeptPass:
    """Whole rows."""

    def __init__(self, samples: Samples, order: NDArray[np.int32]) -> None:
        self._samples = samples
        self._order = order
        self.end = len(order)

    def take(self, cursor: int, count: int) -> tuple[ReplayRows, int]:
        rows = self._order[cursor : cursor + count]
        input_ids, sample_ids = gather_rows(self._samples, rows)
        words = int(self._samples.words[rows].sum(dtype=np.int64))
        return ReplayRows(input_ids, sample_ids, rows, words), cursor + len(rows)


class _RepackedPass:
    """A ring of content tokens, read from `offset` on, T - 1 in a row."""

    def __init__(self, samples: Samples, order: NDArray[np.int32], lengths: NDArray[np.int32], offset: int) -> None:
        self._samples = samples
        self._order = order
        self._ends = np.cumsum(lengths, dtype=np.int64)
        self._lengths = lengths
        self._total = int(self._ends[-1])
        self._offset = offset % self._total
        self.end = -(-self._total // (samples.max_length - 1))

    def take(self, cursor: int, count: int) -> tuple[ReplayRows, int]:
        width = self._samples.max_length - 1
        stop = min(cursor + count, self.end)
        first, last = cursor * width, min(stop * width, self._total)
        ring = (np.arange(first, last) + self._offset) % self._total
        place = np.searchsorted(self._ends, ring, side="right")
        row = self._order[place]
        column = 1 + ring - (self._ends[place] - self._lengths[place])
        packed = np.arange(last - first)
        sources = row * np.int64(width + 1) + column
        targets = packed // width * (width + 1) + 1 + packed % width
        return _compose(self._samples, sources, targets, stop - cursor, row[column == 1]), stop


class _ShuffledPass:
    """Sentences in the order `drawn`, (S,) indices; as many in a row as fit."""

    def __init__(self, samples: Samples, sentences: SentenceIndex, drawn: NDArray[np.int64]) -> None:
        self._samples = samples
        self._begins = sentences.begins[drawn]
        self._lengths = sentences.lengths[drawn]
        self._ends = np.cumsum(self._lengths, dtype=np.int64)
        self.end = len(drawn)

    def take(self, cursor: int, count: int) -> tuple[ReplayRows, int]:
        width = self._samples.max_length - 1
        cuts = [cursor]  # sentences before each row
        while len(cuts) <= count and cuts[-1] < self.end:
            taken = int(self._ends[cuts[-1] - 1]) if cuts[-1] else 0
            cuts.append(int(np.searchsorted(self._ends, taken + width, side="right")))
        num_rows, stop = len(cuts) - 1, cuts[-1]
        lengths = self._lengths[cursor:stop]
        before = self._ends[cursor:stop] - lengths  # content tokens of the pass before each sentence
        row = np.repeat(np.arange(num_rows), np.diff(cuts))
        at = before - before[np.asarray(cuts[:-1]) - cursor][row]  # and those of its row
        begins = self._begins[cursor:stop]
        within = np.arange(int(lengths.sum())) - np.repeat(before - before[0], lengths)
        sources = np.repeat(begins, lengths) + within
        targets = np.repeat(row * (width + 1) + 1 + at, lengths) + within
        sample, column = np.divmod(begins, width + 1)
        begun = sample[column == 1].astype(np.int32)
        return _compose(self._samples, sources, targets, num_rows, begun), stop


def _compose(
    samples: Samples,
    sources: NDArray[np.int64],
    targets: NDArray[np.int64],
    num_rows: int,
    begun: NDArray[np.int32],
) -> ReplayRows:
    """Return rows of a start token, tokens of the corpus, and padding.

    Args:
        samples: the corpus.
        sources: (P,) flat positions of the tokens in the corpus, in [0, N * T).
        targets: (P,) their flat positions in the new rows, in [0, num_rows * T).
        num_rows: R, >= 1.
        begun: passed on as `ReplayRows.begun`.
    """
    width = samples.max_length
    tokens = samples.tokens.reshape(-1)[sources]
    input_ids = np.full((num_rows, width), samples.special.pad, np.int32)
    input_ids[:, 0] = samples.special.start
    input_ids.reshape(-1)[targets] = tokens
    sample_ids = np.full((num_rows, width), -1, np.int32)
    sample_ids.reshape(-1)[targets] = np.where(_is_text(samples, tokens), sources // width, -1)
    words = int(np.count_nonzero(samples.starts_word.reshape(-1)[sources]))
    return ReplayRows(input_ids, sample_ids, begun, words)


def _is_text(samples: Samples, tokens: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return True where tokens are neither special nor padding, in the shape of `tokens`."""
    special = samples.special
    return np.asarray((tokens != special.start) & (tokens != special.separator) & (tokens != special.pad))
