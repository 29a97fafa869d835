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
    after_search: bool = False
    """Whether they start when the last search trial has ended."""
    parent: int | None = None
    """Of controls: place of the runs, in the same list, whose first must end before the first of these starts, and so
    on."""


@dataclass(frozen=True, slots=True)
class Span:
    """Durations in seconds from the start."""

    search: float
    """Until the last search trial has ended."""
    whole: float
    """Until the last run has ended."""


def makespan(search: Sequence[EqualRuns], others: Sequence[EqualRuns], slots: int) -> Span:
    """Return the durations of a search: its trials, then the other runs in slots that become free.

    Args:
        search: search trials, by the rung at which they end.
        others: the baselines' own searches, and the runs over fresh seeds. Of those that may start, the first starts.
        slots: trials at the same time, >= 1.
    """
    if sum(batch.runs for batch in (*search, *others)) > MOST:
        times = [sum(batch.runs * batch.seconds for batch in part) / slots for part in (search, others)]
        return Span(times[0], sum(times))
    free = [0.0] * slots
    ended = max(_start(free, _mixed(search)), default=0.0)
    return Span(ended, max([ended, *_start_when_due(free, others, ended)]))


def _start_when_due(free: list[float], others: Sequence[EqualRuns], ended: float) -> Iterator[float]:
    """Start the runs that wait for nothing more, in order, and yield when each ends; `free` is a heap."""
    durations = [list(_each([batch])) for batch in others]
    waiting = [
        (ended if batch.after_search else 0.0, place, number)
        for place, batch in enumerate(others)
        if batch.parent is None
        for number in range(len(durations[place]))
    ]
    heapq.heapify(waiting)
    due: list[tuple[int, int]] = []
    while waiting or due:
        now = heapq.heappop(free)
        while waiting and waiting[0][0] <= now:
            heapq.heappush(due, heapq.heappop(waiting)[1:])
        if not due:  # the slot is idle until the next run is due
            heapq.heappush(free, waiting[0][0])
            continue
        place, number = heapq.heappop(due)
        end = now + durations[place][number]
        heapq.heappush(free, end)
        for child, batch in enumerate(others):
            if batch.parent == place and number < len(durations[child]):
                heapq.heappush(waiting, (end, child, number))
        yield end


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
