"""What is compared: searches of one study that differ in how they search. Knows no curves."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.search.space.search_space import Finalists, Objective, Parameter, Scheduler, Search, Space, Stop
from sleep_tune.search.space.space_file import load_space

__all__ = ["REFERENCE", "Arm", "adapted", "read_arms"]

REFERENCE = "as it is"
"""Name of the arm that searches as the study says."""

KEYS = {
    field.name: f"{section}.{field.name}"
    for section, options in (("scheduler", Scheduler), ("search", Search))
    for field in dataclasses.fields(options)
    if field.name != "seed"
}
"""What an arm may set of a study, besides slots; the section may be left out."""

ENDLESS = Stop(trials=1_000_000)
"""A simulated search is stopped by its cost."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to search."""

    name: str
    space: Space
    slots: int


def read_arms(path: Path, variants: Sequence[str], *, slots: int, every: str | None = None) -> list[Arm]:
    """The study as it is, then each variant of it.

    Args:
        path: of the study's space.
        variants: each of `key=value`, or several joined by commas; the keys are `KEYS` and slots.
        slots: trials at the same time, where a variant does not say.
        every: what is set in all of them, the study as it is too; written as a variant.

    Raises:
        ConfigError: a mistake in the space or a variant.
    """
    common = [] if every is None else [every]
    reference = _arm(REFERENCE, path, common, slots)
    return [reference, *(_arm(text, path, [*common, text], slots) for text in variants)]


def adapted(space: Space, parameters: tuple[Parameter, ...], seed: int) -> Space:
    """The search alone, without baselines and repeats, over other parameters, as the search of one seed."""
    keys = {parameter.key for parameter in parameters}
    if space.scheduler.within is not None and space.scheduler.within not in keys:
        raise ConfigError(
            f"scheduler.within must be searched; got {space.scheduler.within} over {', '.join(sorted(keys))}"
        )
    return dataclasses.replace(
        space,
        parameters=parameters,
        objective=Objective(),
        search=dataclasses.replace(space.search, seed=seed),
        stop=ENDLESS,
        baselines={},
        finalists=Finalists(count=0, seeds=1),
        enqueue=(),
        warm_start=(),
    )


def _arm(name: str, path: Path, texts: Sequence[str], slots: int) -> Arm:
    overrides = []
    for part in ",".join(texts).split(",") if texts else ():
        key, _, value = part.strip().partition("=")
        if key == "slots":
            if not value.isdigit() or int(value) < 1:
                raise ConfigError(f"{name}: slots must be a whole number >= 1; got {value!r}")
            slots = int(value)
        elif key in (*KEYS, *KEYS.values()):
            overrides.append(f"{KEYS.get(key, key)}={value}")
        else:
            raise ConfigError(f"{name}: {unknown('key', key, [*KEYS, *KEYS.values(), 'slots'])}")
    return Arm(name, load_space(path, overrides), slots)
