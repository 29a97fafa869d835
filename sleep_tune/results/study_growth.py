"""Growth of a study that had ended: what had been trained each time it ended, from its event log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sleep_tune.experiment.trial_state import version_key
from sleep_tune.records import Event

__all__ = ["StudySize", "describe_growth", "find_growth"]


@dataclass(frozen=True, slots=True)
class StudySize:
    """What the study had asked for when it ended."""

    seeds: int
    """Fresh seeds of the arms."""
    arms: int
    """Arms that were repeated over them; an arm whose settings were changed counts again."""
    trials: int
    """Trials of the searches."""


def find_growth(events: Iterable[Event]) -> tuple[StudySize, ...]:
    """Return the distinct sizes of the study: one for each time it ended, and the present one."""
    seeds: set[int] = set()
    arms: set[tuple[str, str]] = set()
    sizes: list[StudySize] = []
    trials = 0
    for event in events:
        if event.event == "asked" and event.role == "search":
            trials += 1
        elif event.event == "asked":
            seeds.add(event.seed or 0)
            arms.add((event.arm or "", version_key(event.data["parameters"])))
        elif event.event == "closed" and event.data.get("finished"):
            sizes.append(StudySize(len(seeds), len(arms), trials))
    sizes.append(StudySize(len(seeds), len(arms), trials))
    return tuple(size for at, size in enumerate(sizes) if size not in sizes[:at])


def describe_growth(sizes: Sequence[StudySize]) -> str:
    """Return in what the study has grown, besides seeds: `arms 1 -> 2, trials of all searches 8 -> 16`; '' in nothing.

    p-values hold for added seeds (`seed_plan`), but for nothing else that was added after a first table.
    """
    counts = {"arms": [size.arms for size in sizes], "trials of all searches": [size.trials for size in sizes]}
    return ", ".join(
        f"{what} {' -> '.join(str(count) for count in dict.fromkeys(found))}"
        for what, found in counts.items()
        if len(set(found)) > 1
    )
