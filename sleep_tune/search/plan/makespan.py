"""How long a search takes on its slots: every run is started on the first that is free, as the search does it.

Arithmetic on durations alone.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

__all__ = ["Batch", "Span", "makespan"]

MOST = 20_000
"""Runs that are laid out one by one; of more than that the mean is good enough."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Runs that take equally long."""

    runs: float
    """How many, >= 0; an expected number need not be whole."""
    seconds: float
    """Of each."""


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds from the start."""

    search: float
    """Until the last search trial has ended."""
    whole: float
    """Until everything has."""


def makespan(search: Sequence[Batch], others: Sequence[Batch], finalists: Sequence[Batch], slots: int) -> Span:
    """Lay out a search: its trials, what fills the slots beside its last ones, and what waits for all of them.

    Args:
        search: search trials, by how far they go.
        others: the baselines' own searches, and baselines over fresh seeds.
        finalists: start when no search trial is running any more.
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
    """When runs end that are started in their order, each on the slot that is free first; `free` is a heap."""
    ends = []
    for seconds in durations:
        ends.append(heapq.heappop(free) + seconds)
        heapq.heappush(free, ends[-1])
    return ends


def _each(batches: Sequence[Batch]) -> Iterator[float]:
    for batch in batches:
        yield from [batch.seconds] * int(batch.runs)
        if batch.runs % 1:
            yield batch.seconds * (batch.runs % 1)


def _mixed(batches: Sequence[Batch]) -> Iterator[float]:
    """Runs of every batch from the first to the last moment, as trials that go far come at any time."""
    timed = []
    for number, batch in enumerate(batches):
        durations = list(_each([batch]))
        timed += [((at + 0.5) / len(durations), number, seconds) for at, seconds in enumerate(durations)]
    yield from (seconds for _, _, seconds in sorted(timed))
