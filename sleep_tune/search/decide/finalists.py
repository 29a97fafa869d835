"""Who is trained over fresh seeds: every baseline, and the best configurations of the search. Decides nothing else."""

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
"""Where a study's seeds are drawn from: six digits, so that no seed chosen by hand is likely to be among them."""

FIRST_SEED = 1000
"""Where the seeds of logs without a source start, plus the search's own: two such studies share most of theirs."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """One configuration under one seed; `arm` is a baseline's name or a search trial's id."""

    id: str
    role: str
    arm: str
    seed: int
    parameters: dict[str, Value]


def seeds_source(space: Space) -> str:
    """What a study's seeds are drawn from: a digest of its name, its base as the file has it, and its search's seed.

    Written into the log when a search opens, so that the same study keeps its seeds whatever later versions add.
    """
    study = [space.name, dict(space.base), space.search.seed]
    return hashlib.sha256(json.dumps(study, sort_keys=True).encode()).hexdigest()[:16]


def fresh_seeds(space: Space, source: str | None, taken: int) -> tuple[int, ...]:
    """The seeds shared by all baselines and finalists. More of them begin with the same ones.

    Two studies have seeds of their own, so that one can replicate the other; `finalists.first_seed` lets them share.

    Args:
        space: says how many, and which is the first if the file chose it.
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
    """Seeds without repeats, each from a hash of its own: no generator's, whose numbers a library may change."""
    seen: set[int] = set()
    for number in count():
        digest = hashlib.sha256(f"{source} {number}".encode()).digest()
        seed = DRAWN[int.from_bytes(digest[:8]) % len(DRAWN)]
        if seed not in seen:
            seen.add(seed)
            yield seed


def due_repeats(space: Space, state: SearchState, seeds: tuple[int, ...]) -> list[Repeat]:
    """Runs over fresh seeds that may start by now, in their order; those that have started among them.

    Baselines fill the slots while the search's last trials run; a tuned one waits for its own search, of which it has
    the best settings. Finalists are the best of the search, once all of it has ended: all seeds of one, then the next.
    """
    if state.study(MAIN).ended is None:
        return []
    due: list[Repeat] = []
    for name, baseline in space.baselines.items():
        if baseline.trials is None:
            due += _over_seeds(state, "baseline", name, {}, seeds)
        elif state.is_over(name):
            best = next(state.ranking(name), None)
            due += _over_seeds(state, "baseline", name, best.parameters if best else {}, seeds)
    if state.is_over(MAIN):
        for trial in islice(state.ranking(MAIN), space.finalists.count):
            due += _over_seeds(state, "finalist", trial.id, trial.parameters, seeds)
    return due


def _over_seeds(
    state: SearchState, role: str, arm: str, parameters: dict[str, Value], seeds: tuple[int, ...]
) -> list[Repeat]:
    """One run for each seed. A baseline that is tuned anew, as a grown search may, has runs of a new name."""
    earlier, key = state.arms.get(arm, []), configuration_key(parameters)
    version = (earlier.index(key) if key in earlier else len(earlier)) + 1
    name = arm if version == 1 else f"{arm}-v{version}"
    ids = seeds if state.seeds_source is not None else range(1, len(seeds) + 1)  # earlier versions numbered them
    return [Repeat(f"{name}-s{of}", role, arm, seed, dict(parameters)) for of, seed in zip(ids, seeds, strict=True)]
