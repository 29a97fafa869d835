"""What a sleep replayed, for the log. Knows nothing of how it was chosen."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXAMPLES", "EXPOSURE_BINS", "Example", "SleepRecord", "from_rows", "to_rows"]

EXAMPLES = 4
"""Samples of a buffer that are named: the hardest, the easiest, and those a third and two thirds of the way."""

EXPOSURE_BINS = 33
"""Bins of the exposure histogram: samples never seen, seen once, twice, ... and 32 times or more."""

_NUMBERS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One sample of the buffer."""

    sample: int
    """Its number in the corpus."""
    score: float
    """Its mean loss when last read awake, in nats."""
    age: int
    """Cycles since then."""
    times_seen: int
    """Readings and replays of it by the end of the sleep."""


_OF_EXAMPLE = len(Example.__dataclass_fields__)
_NOBODY = (-1, 0, 0, 0)
"""In the place of an example that a small buffer does not have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepRecord:
    """One finished sleep."""

    cycle: int
    """Cycles before this one (from 0)."""
    buffer_size: int
    """Samples chosen for replay."""
    candidates: int
    """Samples that they were chosen from."""
    words: int
    """Words replayed."""
    batches: int
    mean_score: float
    """Mean score of the buffer, in nats."""
    mean_age: float
    """Mean cycles since the buffer's samples were last read awake."""
    sources: dict[str, float]
    """Share of the buffer that comes from each source; sums to 1."""
    exposures: list[int]
    """Samples of the corpus by how often they have been seen at the end of this sleep, awake and asleep.

    The last of `EXPOSURE_BINS` bins counts those seen that often or more.
    """
    examples: list[Example]
    """Up to `EXAMPLES` samples of the buffer, from the highest score to the lowest."""


def to_rows(records: Sequence[SleepRecord]) -> NDArray[np.float64]:
    """One row of numbers a record, exactly, for a state that holds arrays only."""
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
        ]
        for record in records
    ]
    return np.asarray(rows, np.float64)


def from_rows(rows: NDArray[np.float64], source_names: Sequence[str]) -> list[SleepRecord]:
    """The inverse of `to_rows`."""
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
            sources=dict(zip(source_names, row[_SOURCES_AT:].tolist(), strict=True)),
        )
        for row in rows
    ]


_EXAMPLES_AT = _NUMBERS + EXPOSURE_BINS
_SOURCES_AT = _EXAMPLES_AT + EXAMPLES * _OF_EXAMPLE


def _numbers(examples: Sequence[Example]) -> list[float]:
    """Numbers of `EXAMPLES` examples one after another, those that are missing as `_NOBODY`."""
    rows = [astuple(example) for example in examples] + [_NOBODY] * (EXAMPLES - len(examples))
    return [number for row in rows for number in row]


def _examples(rows: NDArray[np.float64]) -> list[Example]:
    """The inverse of `_numbers`."""
    return [
        Example(sample=int(sample), score=float(score), age=int(age), times_seen=int(times_seen))
        for sample, score, age, times_seen in rows
        if sample >= 0
    ]
