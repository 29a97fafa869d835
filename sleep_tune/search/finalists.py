"""Who is trained over fresh seeds: every baseline, and the best configurations of the search. Decides nothing else."""

from dataclasses import dataclass
from itertools import islice

from sleep_tune.search.space import Space, Value, configuration_key
from sleep_tune.search.state import MAIN, SearchState

__all__ = ["FIRST_SEED", "Repeat", "due_repeats", "fresh_seeds"]

FIRST_SEED = 1000
"""Seeds of repeats start here, plus the search's own; so they are not those that settings were chosen on."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """One configuration under one seed; `arm` is a baseline's name or a search trial's id."""

    id: str
    role: str
    arm: str
    seed: int
    parameters: dict[str, Value]


def fresh_seeds(space: Space, taken: int) -> tuple[int, ...]:
    """The seeds shared by all baselines and finalists; never `taken`, the seed of the search's own runs."""
    first = FIRST_SEED + space.search.seed
    candidates = range(first, first + space.finalists.seeds + 1)
    return tuple(seed for seed in candidates if seed != taken)[: space.finalists.seeds]


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
    return [Repeat(f"{name}-s{number}", role, arm, seed, dict(parameters)) for number, seed in enumerate(seeds, 1)]
