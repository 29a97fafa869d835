"""Looks at a study that grew: what had been trained each time the study ended, from its event log."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sleep_tune.records import Event

__all__ = ["Look", "find_looks", "look_notes"]


@dataclass(frozen=True, slots=True)
class Look:
    """What the study had asked for when it ended."""

    seeds: int
    """Fresh seeds of the arms."""
    arms: int
    """Arms that were repeated over them."""
    trials: int
    """Trials of the searches."""


def find_looks(events: Iterable[Event]) -> tuple[Look, ...]:
    """Return the distinct states of the study: one for each time it ended, and the present one.

    A table that was made while the study was running leaves no trace in the log and is not counted.
    """
    seeds: set[int] = set()
    arms: set[str] = set()
    looks: list[Look] = []
    trials = 0
    for event in events:
        if event.event == "asked" and event.role == "search":
            trials += 1
        elif event.event == "asked":
            seeds.add(event.seed or 0)
            arms.add(event.arm or "")
        elif event.event == "closed" and event.data.get("finished"):
            looks.append(Look(len(seeds), len(arms), trials))
    looks.append(Look(len(seeds), len(arms), trials))
    return tuple(look for at, look in enumerate(looks) if look not in looks[:at])


def look_notes(looks: Sequence[Look]) -> Iterator[str]:
    """Warn that the study grew after its first table, and say how; yield nothing after a single look."""
    if len(looks) < 2:
        return
    grown = {
        "seeds": [look.seeds for look in looks],
        "arms": [look.arms for look in looks],
        "trials of all searches": [look.trials for look in looks],
    }
    growth = [
        f"{what} {' -> '.join(str(count) for count in dict.fromkeys(counts))}"
        for what, counts in grown.items()
        if len(set(counts)) > 1
    ]
    yield (
        f"Warning: the study grew after its first table ({', '.join(growth)}). This is look {len(looks)} at its data, "
        "and p-values are not corrected for repeated looks."
    )
