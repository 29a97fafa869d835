"""What gp should be told of trials that ASHA stopped: simulated searches; the output is in bench_gp.txt.

    python tests/benchmarks/bench_gp.py run RESULTS.jsonl [--seeds 20]    # hours of one core; run again, it resumes
    python tests/benchmarks/bench_gp.py print RESULTS.jsonl

Three ways: an estimate of the value at their end, as `gp` does; nothing, as Optuna's GPSampler does; the worst value of
a completed trial. All searches cost as much as RUNS complete runs, and are compared with random search under ASHA,
paired over seeds of landscape and search.

Told of completed trials only, gp is random search: at this cost ASHA completes fewer trials than `search.startup`. The
other two learn; the seeds in bench_gp.txt are too few to say which of them is better, or that either beats random.
"""

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from sleep_tune.search.decide import gp_sampler
from sleep_tune.search.decide.gp_sampler import estimate_ends
from sleep_tune.search.space.base import compose_base
from sleep_tune.simulation.curves import read_source
from sleep_tune.simulation.landscape import best_settings
from sleep_tune.simulation.method_comparison import mean_interval
from sleep_tune.simulation.methods import read_methods
from sleep_tune.simulation.simulated_search import Setup, simulate_search

SPACE = Path(__file__).parents[2] / "search_spaces" / "replay.yaml"
CURVES = ("crossing", "one_pass", "recorded/replay")
RUNS = 12.0
SLOTS = 2

Ends = Callable[[Sequence[FrozenTrial], StudyDirection], dict[int, float]]


def nothing(trials: Sequence[FrozenTrial], direction: StudyDirection) -> dict[int, float]:
    """Leave out stopped trials."""
    return {trial.number: trial.values[0] for trial in trials if trial.state == TrialState.COMPLETE}


def worst(trials: Sequence[FrozenTrial], direction: StudyDirection) -> dict[int, float]:
    """Give stopped trials the worst value of a completed one."""
    ends = nothing(trials, direction)
    stopped = [trial.number for trial in trials if trial.state == TrialState.PRUNED]
    return ends | (dict.fromkeys(stopped, max(ends.values())) if ends else {})


ENDS: dict[str, Ends] = {"gp, estimated": estimate_ends, "gp, left out": nothing, "gp, worst": worst}
METHODS = {
    "random": "algorithm=random",
    "tpe": "algorithm=tpe",
    "qmc": "algorithm=qmc",
    **dict.fromkeys(ENDS, "algorithm=gp"),
    "gp, no early stopping": "algorithm=gp,scheduler.name=none",
}


@contextmanager
def as_told(method: str) -> Iterator[None]:
    """Change what gp is told of stopped trials."""
    kept = gp_sampler.estimate_ends
    gp_sampler.estimate_ends = ENDS.get(method, kept)  # type: ignore[assignment]
    try:
        yield
    finally:
        gp_sampler.estimate_ends = kept


def run(out: Path, seeds: int, names: Sequence[str]) -> None:
    """Run the searches that the file does not have yet, and add a line for each."""
    lines = read(out) if out.exists() else []
    known = {(line["curves"], line["method"], line["seed"]) for line in lines}
    _, *variants = read_methods(SPACE, [METHODS[name] for name in names], slots=SLOTS)
    methods = dict(zip(names, variants, strict=True))
    space = variants[0].space
    setup = Setup(base=compose_base(space), runs=RUNS)
    for seed in range(seeds):
        for curves in CURVES:
            landscape = read_source(curves, space.parameters).landscape(seed)
            best = landscape.truth(best_settings(landscape))
            for name, method in methods.items():
                if (curves, name, seed) not in known:
                    with as_told(name):
                        found = simulate_search(method, landscape, best, seed, setup)
                    line = {"curves": curves, "method": name, "seed": seed, "trials": found.trials}
                    with out.open("a") as file:
                        file.write(json.dumps(line | {"regret": found.regrets[-1], "finalist": found.finalist}) + "\n")


def read(out: Path) -> list[dict[str, Any]]:
    """Return the lines of a file of results."""
    return [json.loads(line) for line in out.read_text().splitlines()]


def print_results(out: Path) -> None:
    """Print a table for each source of curves."""
    for curves in CURVES:
        found: dict[str, dict[int, Mapping[str, Any]]] = {}
        for line in read(out):
            if line["curves"] == curves:
                found.setdefault(line["method"], {})[line["seed"]] = line
        print(f"\n{curves}, at the cost of {RUNS:g} complete runs, {SLOTS} slots; thousandths of a nat, 95% intervals")
        titles = (("seeds", 6), ("trials", 8), ("regret", 9), ("from random", 14), ("after finalists", 17))
        print(f"  {'':24}" + "".join(f"{title:>{width}}" for title, width in (*titles, ("from random", 14))))
        for method, mine in found.items():
            cells = f"{method:<24}{len(mine):>6}{np.mean([line['trials'] for line in mine.values()]):>8.0f}"
            for key, width in (("regret", 9), ("finalist", 17)):
                shared = mine.keys() & found["random"].keys()
                apart = mean_interval([1000 * (mine[seed][key] - found["random"][seed][key]) for seed in shared])
                cells += f"{1000 * np.mean([line[key] for line in mine.values()]):>{width}.0f}"
                cells += f"{'' if method == 'random' else f'{apart.mean:+.0f} ± {apart.half:.0f}':>14}"
            print(f"  {cells}")


def main() -> None:
    """Run, or print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "print"))
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    options = parser.parse_args()
    if options.what == "run":
        run(options.results, options.seeds, options.methods)
    else:
        print_results(options.results)


if __name__ == "__main__":
    main()
