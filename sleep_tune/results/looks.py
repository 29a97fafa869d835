"""Looks at a study that grew: what had been trained each time that it had ended, by its event log. Corrects no p."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sleep_tune.records import Event

__all__ = ["Look", "find_looks", "look_notes"]


@dataclass(frozen=True, slots=True)
class Look:
    """What had been asked for when a table was made."""

    seeds: int
    """Fresh seeds of the arms."""
    arms: int
    """Arms that were repeated over them."""
    trials: int
    """Trials of the searches."""


def find_looks(events: Iterable[Event]) -> tuple[Look, ...]:
    """What there was each time that the study ended, and what there is now where it has grown since.

    A table that was made while the study was still running leaves no trace in the log, and is not among them.
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
    """That the study grew after a first table, how, and at how many looks; nothing where there was one."""
    if len(looks) < 2:
        return
    grown = {
        "seeds": [look.seeds for look in looks],
        "arms": [look.arms for look in looks],
        "trials of all searches": [look.trials for look in looks],
    }
    told = [
        f"{what} {' to '.join(str(count) for count in dict.fromkeys(counts))}"
        for what, counts in grown.items()
        if len(set(counts)) > 1
    ]
    yield (
        f"Beware: the study grew after a first table ({', '.join(told)}): this is look {len(looks)} at it, and no p "
        "here accounts for that."
    )
