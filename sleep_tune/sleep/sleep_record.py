"""Record of one sleep phase: what was replayed, for the log and for checkpoints."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXAMPLES", "EXPOSURE_BINS", "Example", "SleepRecord", "from_rows", "to_rows"]

EXAMPLES = 4
"""Samples of a buffer that are recorded: those of highest and lowest score, and two evenly between them."""

EXPOSURE_BINS = 33
"""Bins of the exposure histogram: samples seen 0, 1, 2, ... 31 times, and 32 times or more."""

_NUMBERS = 7
"""Plain numbers of a record, which come first in its row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sample of a buffer, at the end of the sleep phase."""

    sample: int
    """Index of the sample in the corpus, in [0, N)."""
    score: float
    """Mean loss over its predicted positions when last read awake, in nats."""
    age: int
    """Cycles since that reading, >= 0."""
    times_seen: int
    """Readings and replays so far, >= 1."""


_OF_EXAMPLE = len(Example.__dataclass_fields__)
_NO_EXAMPLE = (-1, 0, 0, 0)
"""Fills the row of a record whose buffer has fewer than `EXAMPLES` samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepRecord:
    """One sleep phase that has ended."""

    cycle: int
    """Cycles before this one, from 0."""
    buffer_size: int
    """Samples in the buffer, n."""
    candidates: int
    """Samples that the buffer was chosen from, C."""
    words: int
    """Words replayed."""
    batches: int
    """Batches replayed."""
    mean_score: float
    """Mean score of the buffer, in nats."""
    mean_age: float
    """Mean cycles since the buffer's samples were last read awake."""
    sources: dict[str, float]
    """Source -> share of the buffer's samples that come from it; the shares sum to 1."""
    exposures: list[int]
    """`EXPOSURE_BINS` counts that sum to N: samples of the corpus by how often they were read or replayed so far."""
    examples: list[Example]
    """Up to `EXAMPLES` samples of the buffer, from the highest score to the lowest."""
    mean_signal: float
    """Mean over the buffer of what its priorities were made of (`sleep.replay.signal`), in nats."""


def to_rows(records: Sequence[SleepRecord]) -> NDArray[np.float64]:
    """Return D records as (D, 57 + sources) float64, without loss, for a checkpoint that holds arrays only.

    A row is 7 numbers of the record, its 33 exposures, 4 numbers for each of 4 examples, the share of each source, and
    the mean signal.
    """
    rows = [
        [
            record.cycle,
            record.buffer_size,
            record.candidates,
            record.words,
            record.batches,
            record.mean_score,
            record.mean_age,
            *record.exposures,
            *_numbers(record.examples),
            *record.sources.values(),
            record.mean_signal,
        ]
        for record in records
    ]
    return np.asarray(rows, np.float64)


def from_rows(rows: NDArray[np.float64], source_names: Sequence[str]) -> list[SleepRecord]:
    """Return the records that `to_rows` made rows of.

    Args:
        rows: (D, 57 + sources) float64; or without the mean signal, as an earlier version made them: it is the score's.
        source_names: of the corpus, in its order.
    """
    signal_at = _SOURCES_AT + len(source_names)
    return [
        SleepRecord(
            cycle=int(row[0]),
            buffer_size=int(row[1]),
            candidates=int(row[2]),
            words=int(row[3]),
            batches=int(row[4]),
            mean_score=float(row[5]),
            mean_age=float(row[6]),
            exposures=row[_NUMBERS:_EXAMPLES_AT].astype(int).tolist(),
            examples=_examples(row[_EXAMPLES_AT:_SOURCES_AT].reshape(EXAMPLES, _OF_EXAMPLE)),
            sources=dict(zip(source_names, row[_SOURCES_AT:signal_at].tolist(), strict=True)),
            mean_signal=float(row[signal_at] if len(row) > signal_at else row[5]),
        )
        for row in rows
    ]


_EXAMPLES_AT = _NUMBERS + EXPOSURE_BINS
_SOURCES_AT = _EXAMPLES_AT + EXAMPLES * _OF_EXAMPLE


def _numbers(examples: Sequence[Example]) -> list[float]:
    """Return 4 numbers for each of `EXAMPLES` examples; those that are missing are `_NO_EXAMPLE`."""
    rows = [astuple(example) for example in examples] + [_NO_EXAMPLE] * (EXAMPLES - len(examples))
    return [number for row in rows for number in row]


def _examples(rows: NDArray[np.float64]) -> list[Example]:
    """Return the examples of (4, 4) numbers that `_numbers` made."""
    return [
        Example(sample=int(sample), score=float(score), age=int(age), times_seen=int(times_seen))
        for sample, score, age, times_seen in rows
        if sample >= 0
    ]
