"""Plan of a study's seeds: their order, and the numbers of seeds at which its evidence is judged, from the event log.

The plan that counts is the one that stood when the first run over fresh seeds was asked for. A later change of
`finalists.seeds` may depend on results, so seeds beyond that plan are growth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sleep_tune.records import Event
from sleep_tune.statistics.schedule import RESERVE, Schedule

__all__ = ["SeedPlan", "find_plan"]


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """Planned looks of a study, and its seeds."""

    schedule: Schedule
    order: tuple[int, ...]
    """The fresh seeds in the order in which they were first asked for."""
    missed: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """(arm, seed) of a run that had been lost at a look -> number of seeds then. It may have been trained again since.
    """
    ended: bool = False
    """Whether the search has ended."""

    @property
    def seeds(self) -> int:
        """Number of seeds at the last planned look."""
        return self.schedule.looks[-1]

    @property
    def added(self) -> int:
        """Number of seeds beyond the last planned look."""
        return max(0, len(self.order) - self.seeds)

    def look(self, seed: int, *arms: str) -> int:
        """Return the look, from 1, to which a seed of some arms belongs; one more than there are for one beyond them.

        A run that was lost at a look and trained again belongs to the next, so that what the look showed stays.
        """
        had = max((self.missed.get((arm, seed), 0) for arm in arms), default=0)
        before = max(self.order.index(seed), had)
        looks = self.schedule.looks
        return next((number for number, count in enumerate(looks, 1) if before < count), len(looks) + 1)

    def had_ended(self, seed: int, arm: str, count: int) -> bool:
        """Return whether a run had been lost at a look at `count` seeds, or at a later one."""
        return self.missed.get((arm, seed), 0) >= count


def find_plan(events: Iterable[Event]) -> SeedPlan | None:
    """Return the plan of the seeds of a study, by its events.

    None without a run over fresh seeds, and for a study of an earlier version that has not grown: its number of seeds
    was fixed, and p-values are compared with the whole level.
    """
    space: Mapping[str, Any] = {}
    first: Mapping[str, Any] | None = None
    finished_with: int | None = None
    order: dict[int, None] = {}
    missed = _Missed()
    ended = False
    for event in events:
        missed.add(event)
        ended = event.event == "closed" and event.data["finished"]
        if event.event == "opened":
            space = event.data.get("study") or {}
        elif event.event == "changed":
            space = event.data["space"]
        elif event.event == "asked" and not event.data["study"]:
            first = space if first is None else first
            order[event.seed or 0] = None
        elif event.event == "closed" and event.data["finished"] and order and finished_with is None:
            finished_with = len(order)
    if first is None:
        return None
    looks, reserve = _looks(first), _section(first, "comparison").get("reserve")
    if looks is not None and reserve is not None:
        return SeedPlan(Schedule(looks, float(reserve)), tuple(order), missed.found, ended)
    count = finished_with if looks is None else looks[-1]
    if count is None or len(order) <= count:
        return None
    return SeedPlan(Schedule((max(2, count),), RESERVE, overspent=True), tuple(order), missed.found, ended)


class _Missed:
    """Runs over fresh seeds that had been lost at a look, by the events so far. Diverged runs are not lost."""

    def __init__(self) -> None:
        self.found: dict[tuple[str, int], int] = {}
        self._runs: dict[str, tuple[str, int]] = {}
        self._lost: set[str] = set()

    def add(self, event: Event) -> None:
        """Take note of the next event."""
        if event.event == "asked" and not event.data["study"]:
            self._runs[event.trial or ""] = run = event.arm or "", event.seed or 0
            self.found.pop(run, None)  # of other settings
        elif event.event in ("failed", "refused", "completed") and event.trial in self._runs:
            is_lost = event.event != "completed" and event.data.get("kind") != "diverged"
            (self._lost.add if is_lost else self._lost.discard)(event.trial)
        elif event.event == "look":
            self.found |= {self._runs[trial]: event.data["seeds"] for trial in self._lost}


def _looks(space: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the planned looks of a space as JSON; None where it does not state them. One seed alone is no look."""
    seeds = _section(space, "finalists").get("seeds")
    if isinstance(seeds, Mapping):
        return tuple(int(count) for count in seeds["looks"])
    return None if seeds is None else (max(2, int(seeds)),)


def _section(space: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = space.get(key)
    return value if isinstance(value, Mapping) else {}
