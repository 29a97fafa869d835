"""Runs over fresh seeds: every baseline, and the finalists, which are the best configurations of the search."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice

from sleep_tune.experiment.search_state import MAIN, SearchState
from sleep_tune.experiment.trial_state import Value, configuration_key
from sleep_tune.search.space.search_space import Space

__all__ = ["DRAWN", "FIRST_SEED", "Repeat", "due_repeats", "fresh_seeds", "seeds_source"]

DRAWN = range(100_000, 1_000_000)
"""Range of fresh seeds: six digits, so that a seed chosen by hand is unlikely to be among them."""

FIRST_SEED = 1000
"""First fresh seed, plus the search's own seed, in logs without a source; two such studies share most seeds."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """One configuration under one fresh seed; `arm` is a baseline's name or a search trial's id."""

    id: str
    role: str
    arm: str
    seed: int
    parameters: dict[str, Value]


def seeds_source(space: Space) -> str:
    """Return what a study's fresh seeds are drawn from: a digest of its name, its base and its search's seed.

    It is logged when a search opens, so that the study keeps its seeds under later versions.
    """
    study = [space.name, dict(space.base), space.search.seed]
    return hashlib.sha256(json.dumps(study, sort_keys=True).encode()).hexdigest()[:16]


def fresh_seeds(space: Space, source: str | None, taken: int) -> tuple[int, ...]:
    """Return the fresh seeds, which all baselines and finalists share. A larger number begins with the same seeds.

    Two studies have different seeds, so that one can replicate the other; `finalists.first_seed` lets them share.

    Args:
        space: has the number of seeds, and the first one if the user chose it.
        source: what they are drawn from; None in a log that an earlier version opened, which keeps its rule.
        taken: the seed of the search's own runs, on which settings were chosen: never among them.
    """
    first = space.finalists.first_seed
    if first is None and source is not None:
        candidates = _drawn(source)
    else:
        candidates = count(FIRST_SEED + space.search.seed if first is None else first)
    return tuple(islice((seed for seed in candidates if seed != taken), space.finalists.seeds))


def _drawn(source: str) -> Iterator[int]:
    """Yield different seeds, each from its own hash: numbers of a library's generator may change with its version."""
    seen: set[int] = set()
    for number in count():
        digest = hashlib.sha256(f"{source} {number}".encode()).digest()
        seed = DRAWN[int.from_bytes(digest[:8]) % len(DRAWN)]
        if seed not in seen:
            seen.add(seed)
            yield seed


def due_repeats(space: Space, state: SearchState, seeds: tuple[int, ...]) -> list[Repeat]:
    """Return the runs over fresh seeds that may start by now, in order, including those that have started.

    Baselines fill the slots while the search's last trials run. A tuned one, or one like it, waits for the study whose
    best settings it has. Finalists are the best of the search, once all of it has ended: all seeds of one, then the
    next.
    """
    if state.study(MAIN).ended is None:
        return []
    due: list[Repeat] = []
    for name, baseline in space.baselines.items():
        study = baseline.like or name
        if space.baselines[study].trials is None:
            due += _over_seeds(state, "baseline", name, {}, seeds)
        elif state.is_over(study):
            best = next(state.ranking(study), None)
            due += _over_seeds(state, "baseline", name, best.parameters if best else {}, seeds)
    if state.is_over(MAIN):
        for trial in islice(state.ranking(MAIN), space.finalists.count):
            due += _over_seeds(state, "finalist", trial.id, trial.parameters, seeds)
    return due


def _over_seeds(
    state: SearchState, role: str, arm: str, parameters: dict[str, Value], seeds: tuple[int, ...]
) -> list[Repeat]:
    """Return one run for each seed. A baseline that was tuned again, with other settings, has runs of a new name."""
    earlier, key = state.arms.get(arm, []), configuration_key(parameters)
    version = (earlier.index(key) if key in earlier else len(earlier)) + 1
    name = arm if version == 1 else f"{arm}-v{version}"
    ids = seeds if state.seeds_source is not None else range(1, len(seeds) + 1)  # earlier versions numbered them
    return [Repeat(f"{name}-s{of}", role, arm, seed, dict(parameters)) for of, seed in zip(ids, seeds, strict=True)]
