"""What a sleep replayed, for the log. Knows nothing of how it was chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["EXPOSURE_BINS", "SleepRecord", "from_rows", "to_rows"]

EXPOSURE_BINS = 33
"""Bins of the exposure histogram: samples never seen, seen once, twice, ... and 32 times or more."""

_NUMBERS = 7


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
            sources=dict(zip(source_names, row[_NUMBERS + EXPOSURE_BINS :].tolist(), strict=True)),
            exposures=row[_NUMBERS : _NUMBERS + EXPOSURE_BINS].astype(int).tolist(),
        )
        for row in rows
    ]
