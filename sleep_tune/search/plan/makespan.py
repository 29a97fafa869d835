"""Wall-clock time of a search: each run starts in the first free slot, as in the search itself.

Arithmetic on durations alone.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["EqualRuns", "Span", "makespan"]

MOST = 20_000
"""Runs that are placed one by one; for more than that the mean is good enough."""


@dataclass(frozen=True, slots=True)
class EqualRuns:
    """Runs that take equally long."""

    runs: float
    """Expected number of runs, >= 0."""
    seconds: float
    """Duration of each run."""


@dataclass(frozen=True, slots=True)
class Span:
    """Durations in seconds from the start."""

    search: float
    """Until the last search trial has ended."""
    whole: float
    """Until the last run has ended."""


def makespan(
    search: Sequence[EqualRuns], others: Sequence[EqualRuns], finalists: Sequence[EqualRuns], slots: int
) -> Span:
    """Return the durations of a search: its trials, then baselines in slots that become free, then the finalists.

    Args:
        search: search trials, by the rung at which they end.
        others: the baselines' own searches, and baselines over fresh seeds.
        finalists: they start when the last search trial has ended.
        slots: trials at the same time, >= 1.
    """
    if sum(batch.runs for batch in (*search, *others, *finalists)) > MOST:
        times = [sum(batch.runs * batch.seconds for batch in part) / slots for part in (search, others, finalists)]
        return Span(times[0], sum(times))
    free = [0.0] * slots
    ended = max(_start(free, _mixed(search)), default=0.0)
    last = [ended, *_start(free, _each(others))]
    free = [max(at, ended) for at in free]
    heapq.heapify(free)
    last += _start(free, _each(finalists))
    return Span(ended, max(last))


def _start(free: list[float], durations: Iterator[float]) -> list[float]:
    """Start runs in order, each in the first free slot, and return when they end; `free` is a heap."""
    ends = []
    for seconds in durations:
        ends.append(heapq.heappop(free) + seconds)
        heapq.heappush(free, ends[-1])
    return ends


def _each(batches: Sequence[EqualRuns]) -> Iterator[float]:
    for batch in batches:
        yield from [batch.seconds] * int(batch.runs)
        if batch.runs % 1:
            yield batch.seconds * (batch.runs % 1)


def _mixed(batches: Sequence[EqualRuns]) -> Iterator[float]:
    """Yield durations with each kind of run spread evenly over the search."""
    timed = []
    for number, batch in enumerate(batches):
        durations = list(_each([batch]))
        timed += [((at + 0.5) / len(durations), number, seconds) for at, seconds in enumerate(durations)]
    yield from (seconds for _, _, seconds in sorted(timed))
