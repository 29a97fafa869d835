"""Plan of a study's seeds: their order, and the numbers of seeds at which its evidence is judged, from the event log.

The plan that counts is the one that stood when the first run over fresh seeds was asked for. A later change of
`finalists.seeds` may depend on results, so seeds beyond that plan are growth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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

    @property
    def seeds(self) -> int:
        """Number of seeds at the last planned look."""
        return self.schedule.looks[-1]

    @property
    def added(self) -> int:
        """Number of seeds beyond the last planned look."""
        return max(0, len(self.order) - self.seeds)

    def look(self, seed: int) -> int:
        """Return the look, from 1, to which a seed belongs; one more than there are for a seed beyond the plan."""
        place, looks = self.order.index(seed), self.schedule.looks
        return next((number for number, count in enumerate(looks, 1) if place < count), len(looks) + 1)


def find_plan(events: Iterable[Event]) -> SeedPlan | None:
    """Return the plan of the seeds of a study, by its events.

    None without a run over fresh seeds, and for a study of an earlier version that has not grown: its number of seeds
    was fixed, and p-values are compared with the whole level.
    """
    space: Mapping[str, Any] = {}
    first: Mapping[str, Any] | None = None
    finished_with: int | None = None
    order: dict[int, None] = {}
    for event in events:
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
        return SeedPlan(Schedule(looks, float(reserve)), tuple(order))
    count = finished_with if looks is None else looks[-1]
    if count is None or len(order) <= count:
        return None
    return SeedPlan(Schedule((max(2, count),), RESERVE, overspent=True), tuple(order))


def _looks(space: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Return the planned looks of a space as JSON; None where it does not state them. One seed alone is no look."""
    seeds = _section(space, "finalists").get("seeds")
    if isinstance(seeds, Mapping):
        return tuple(int(count) for count in seeds["looks"])
    return None if seeds is None else (max(2, int(seeds)),)


def _section(space: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = space.get(key)
    return value if isinstance(value, Mapping) else {}
