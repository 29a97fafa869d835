"""The search methods that are compared: variants of one study's sampler, scheduler and slots."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.search.space.search_space import Finalists, Objective, Parameter, Scheduler, Search, Space, Stop
from sleep_tune.search.space.settings import num_settings
from sleep_tune.search.space.space_file import load_space

__all__ = ["REFERENCE", "SearchMethod", "read_methods", "single_search"]

REFERENCE = "as it is"
"""Name of the method that the study itself uses."""

KEYS = {
    field.name: f"{section}.{field.name}"
    for section, options in (("scheduler", Scheduler), ("search", Search))
    for field in dataclasses.fields(options)
    if field.name != "seed"
}
"""Short name -> option of the space that a variant may set; it may set slots, too."""

ENDLESS = Stop(trials=1_000_000)
"""No limit: a simulated search is stopped by its cost."""


@dataclass(frozen=True, slots=True)
class SearchMethod:
    """A space with the sampler and scheduler of one variant, and its slots."""

    name: str
    space: Space
    slots: int


def read_methods(path: Path, variants: Sequence[str], *, slots: int, every: str | None = None) -> list[SearchMethod]:
    """Return the study's own method, then each variant of it.

    Args:
        path: of the study's space.
        variants: each of `key=value`, or several joined by commas; the keys are `KEYS` and slots.
        slots: trials at the same time, unless a variant sets it.
        every: a variant that is applied to all methods, the study's own included.

    Raises:
        ConfigError: a mistake in the space or a variant.
    """
    common = [] if every is None else [every]
    reference = _method(REFERENCE, path, common, slots)
    if not reference.space.parameters:
        raise ConfigError(f"{path}: a simulated search needs parameters; got none")
    return [reference, *(_method(text, path, [*common, text], slots) for text in variants)]


def single_search(space: Space, parameters: tuple[Parameter, ...], seed: int) -> Space:
    """Return the space of a search alone, without arms and finalists, over other parameters and under one seed."""
    keys = {parameter.key for parameter in parameters}
    if space.scheduler.within is not None and space.scheduler.within not in keys:
        raise ConfigError(
            f"scheduler.within must be searched; got {space.scheduler.within} over {', '.join(sorted(keys))}"
        )
    if space.search.algorithm == "grid" and num_settings(parameters) is None:
        raise ConfigError(
            "search.algorithm must not be grid for these curves, whose parameters have ranges of real numbers"
        )
    return dataclasses.replace(
        space,
        parameters=parameters,
        objective=Objective(),
        search=dataclasses.replace(space.search, seed=seed),
        stop=ENDLESS,
        baselines={},
        arms={},
        finalists=Finalists(count=0, seeds=1),
        enqueue=(),
        warm_start=(),
    )


def _method(name: str, path: Path, texts: Sequence[str], slots: int) -> SearchMethod:
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
    return SearchMethod(name, load_space(path, overrides), slots)
