"""How often does a search pick the better setting? The simulator against `search/plan/search_power.py`.

    python tests/benchmarks/bench_search_power.py     # some six minutes of one core; prints bench_search_power.txt

Settings are points of a grid, in a random order. One of them is better than the others, which are equally good, by the
advantage that `smallest_found` says is picked in half of all searches. Each run has normal noise at its end. With
early stopping there is one rung, at a third of the budget, whose noise is the run's own noise and further noise.
"""

import random
import sys
from itertools import islice
from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.search.decide.director import Director
from sleep_tune.search.plan.search_power import found_share, smallest_found
from sleep_tune.search.space.search_space import Choice, Finalists, Parameter, Scheduler, Search, Space, Stop
from sleep_tune.simulation.engine import Cluster, MemoryLog, VirtualClock
from sleep_tune.simulation.landscape import run_noise
from sleep_tune.simulation.points import Settings
from sleep_tune.simulation.simulated_search import STRICT_SMALL

KEY = "training.batch_size"

CASES = ((16, 1), (16, 3), (64, 1))
"""Settings of a search, and how many of them are picked."""

SCHEDULERS = {
    "no early stopping": (Scheduler(name="none"), 0.0),
    "rung with the noise of the end": (Scheduler(), 0.0),
    "rung with 1.5 x the noise of the end": (Scheduler(), 1.25**0.5),
    "rung with 2 x the noise of the end": (Scheduler(), 3**0.5),
}
"""Name -> scheduler, and standard deviation of the further noise at its rung, in that at the end."""


def is_picked(trials: int, picked: int, advantage: float, seed: int, scheduler: Scheduler, early: float) -> bool:
    """Return whether a simulated search has the better setting among its best.

    Args:
        trials: number of settings.
        picked: number of best settings that are picked.
        advantage: of the better setting, in standard deviations of the noise.
        seed: of the order of settings, and of their noise.
        scheduler: stops trials early.
        early: standard deviation of further noise before the end, in that at the end.
    """
    sizes = list(range(1, trials + 1))
    random.Random(seed).shuffle(sizes)
    space = Space(
        name="simulated",
        parameters=(Parameter(KEY, Choice(tuple(sizes))),),
        search=Search(algorithm="grid"),
        scheduler=scheduler,
        stop=Stop(trials=trials),
        finalists=Finalists(count=0),
    )

    def curve(settings: Settings, share: float) -> float:
        noise = run_noise(settings, seed)
        further = early * run_noise(settings, seed, share) if share < 1 else 0.0
        return noise + further - (advantage if settings[KEY] == 1 else 0.0)

    clock = VirtualClock()
    director = Director(space, RunConfig(), STRICT_SMALL, Path("simulated"), clock=clock, log=MemoryLog())
    Cluster(director, clock, lambda trial, share: curve(trial.parameters, share)).run()
    return any(trial.parameters[KEY] == 1 for trial in islice(director.state.ranking(MAIN), picked))


def main(searches: int) -> None:
    """Print a table."""
    print(f"Share of {searches:,} simulated searches that pick the better setting (+- {1 / searches**0.5:.1%}).\n")
    print(f"{'settings':>8}  {'picked':>6}  {'advantage':>9}  {'closed form':>11}  ", "  ".join(SCHEDULERS), sep="")
    for trials, picked in CASES:
        advantage = smallest_found(trials, picked)
        cells = []
        for name, (scheduler, early) in SCHEDULERS.items():
            found = [is_picked(trials, picked, advantage, seed, scheduler, early) for seed in range(searches)]
            cells.append(f"{sum(found) / searches:>{len(name)}.1%}")
        share = found_share(advantage, trials, picked)
        print(f"{trials:>8}  {picked:>6}  {advantage:>9.2f}  {share:>11.1%}  ", "  ".join(cells), sep="", flush=True)
    print("\nadvantage: in standard deviations of a run's noise. The searches are the same on every machine.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
