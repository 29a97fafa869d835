"""Which settings of the search should be the defaults? Simulated searches at equal cost; prints bench_defaults.txt.

    python tests/benchmarks/bench_defaults.py                     # all parts: some fifteen minutes of two cores
    python tests/benchmarks/bench_defaults.py sampler             # one of them

scheduler: eta, the first rung, within groups or not, no stopping; random settings, so that only the scheduler differs.
sampler: tpe and its trials at random before it learns, against random settings; and tpe without stopping.
slots: the scheduler again with eight trials at a time, whose reports come in another order.
within: `one_pass` again with more at stake: what the corpus costs that a run of few passes has not read yet.
finalists: what repeating the best settings over fresh seeds adds, after 24 random settings trained to their end.
surrogate: how well the landscape between recorded settings predicts a setting that was left out.
speed: 280 runs' worth of two hours on eight slots, some 500 trials; and what an ask of tpe costs.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from sleep_tune.commands.simulate import main as simulate
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.space.base import compose_base
from sleep_tune.search.space.space_file import load_space
from sleep_tune.simulation.analytic import ANALYTIC, power_laws
from sleep_tune.simulation.curves import read_source, source_names
from sleep_tune.simulation.method_comparison import mean_interval
from sleep_tune.simulation.methods import read_methods
from sleep_tune.simulation.points import draw
from sleep_tune.simulation.simulated_search import Setup, simulate_search
from tests.benchmarks.bench_search_pays import left_out

SPACE = "tests/benchmarks/mechanism.yaml"
SCHEDULERS = (
    "scheduler.name=none",
    "reduction=2",
    "reduction=2,first_rung=0.2",
    "reduction=4,first_rung=0.2",
    "first_rung=0.1",
    "within=null",
)


def compare(*arguments: str) -> Callable[[int, list[str]], None]:
    """A part that is one command."""

    def run(processes: int, curves: list[str]) -> None:
        command = [SPACE, *arguments, "--curves", *curves]
        print(f"$ python -m sleep_tune.simulation {' '.join(command)}\n", flush=True)
        simulate([*command, "--processes", str(processes)])

    return run


def within(processes: int, curves: list[str]) -> None:
    """Groups or not, random settings, at several costs of what is not yet read (0.2 nats in `one_pass`)."""
    arms = read_methods(Path(SPACE), ["within=null"], slots=1, every="algorithm=random")
    parameters = arms[0].space.parameters
    setup = Setup(compose_base(arms[0].space), runs=24)
    for unread in (0.5, 1.0):
        differences = []
        for seed in range(50):
            landscape = power_laws("one_pass", parameters, seed, crossing=0.15, unread=unread)
            grouped, together = (simulate_search(arm, landscape, 0.0, seed, setup).regrets for arm in arms)
            differences.append([apart - one for apart, one in zip(together, grouped, strict=True)])
        intervals = [mean_interval(column) for column in zip(*differences, strict=True)]
        marks = zip(setup.marks, intervals, strict=True)
        text = ", ".join(f"{1000 * at.mean:+.1f} ± {1000 * at.half:.1f} at {mark:.0%}" for mark, at in marks)
        print(f"unread {unread} nats: regret without groups less that within, 50 seeds: {text}")


def finalists(processes: int, curves: list[str]) -> None:
    """Choose by one run, or by the mean over fresh seeds of the best few; 200 searches."""
    parameters = load_space(Path(SPACE)).parameters
    for name in curves:
        source = read_source(name, parameters)
        plans = ((1, 1), (3, 5), (5, 3), (5, 5), (8, 5))
        regrets: dict[tuple[int, int], list[float]] = {plan: [] for plan in plans}
        for seed in range(200):
            landscape = source.landscape(seed)
            rng = np.random.default_rng([seed, 1])
            drawn = [draw(landscape.parameters, rng) for _ in range(24)]
            ranked = sorted(drawn, key=lambda settings: landscape.curve(settings, seed, 1.0))
            best = min(map(landscape.truth, drawn))
            for count, repeats in plans:
                seeds = range(1000, 1000 + repeats)
                chosen = min(
                    ranked[:count],
                    key=lambda settings: sum(landscape.curve(settings, fresh, 1.0) for fresh in seeds),
                )
                regrets[count, repeats].append(landscape.truth(chosen) - best)
        by_plan = {plan: mean_interval(values) for plan, values in regrets.items()}
        text = ", ".join(
            f"{count} x {seeds}: {1000 * at.mean:.1f} ± {1000 * at.half:.1f}" for (count, seeds), at in by_plan.items()
        )
        print(f"{name}: thousandths of a nat behind the best of the 24, by finalists x seeds: {text}", flush=True)


def surrogate(processes: int, curves: list[str]) -> None:
    """Leave each recorded setting out and predict it from its neighbours."""
    parameters = load_space(Path(SPACE)).parameters
    for name in curves:
        recording = read_source(name, parameters).recording
        if recording is None:
            continue
        ends = recording.values[:, -1].tolist()
        print(f"{name}: {len(ends)} settings; end {min(ends):.3f} to {max(ends):.3f}, median {np.median(ends):.3f}")
        print(f"  noise of seeds at {recording.shares.round(2).tolist()} of the budget:")
        print(
            f"  {np.sqrt((recording.noise**2).mean(axis=0)).round(3).tolist()} nats ({len(recording.noise) // 2} pairs)"
        )
        print(f"  left out, a setting's end is foretold with Kendall's tau {left_out(recording):.2f}")


def speed(processes: int, curves: list[str]) -> None:
    """Time whole searches, then the sampler alone. In seconds of processor time: the machine has other work."""
    for algorithm in ("random", "tpe"):
        (arm,) = read_methods(Path(SPACE), [], slots=8, every=f"algorithm={algorithm}")
        landscape = ANALYTIC["crossing"](arm.space.parameters, 0)
        setup = Setup(compose_base(arm.space), runs=280)
        began = time.process_time()
        found = simulate_search(arm, landscape, 0.0, 0, setup)
        seconds = time.process_time() - began
        print(f"{algorithm}: {found.trials} trials, {found.hours / 24:.1f} days on eight slots, in {seconds:.1f} s")
    parameters = load_space(Path(SPACE)).parameters
    rng = np.random.default_rng(0)
    for number in (50, 200, 500):
        sampler = Sampler(parameters, algorithm="tpe", mode="min", seed=0, startup=10)
        for trial in range(number):
            sampler.add(str(trial), draw(parameters, rng))
            sampler.tell_completed(str(trial), rng.random())
        began = time.process_time()
        for ask in range(5):
            sampler.ask(ask)
        print(f"an ask of tpe after {number} trials: {(time.process_time() - began) / 5:.3f} s")


PARTS = {
    "scheduler": compare(*SCHEDULERS, "--every", "algorithm=random", "--seeds", "100"),
    "sampler": compare("algorithm=random", "startup=5", "startup=20", "scheduler.name=none", "--seeds", "40"),
    "slots": compare(*SCHEDULERS, "--every", "algorithm=random", "--slots", "8", "--runs", "48", "--seeds", "40"),
    "within": within,
    "finalists": finalists,
    "surrogate": surrogate,
    "speed": speed,
}


def main() -> int:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--curves", nargs="+", default=[*ANALYTIC, *(name for name in source_names() if "/" in name)])
    given = parser.parse_args()
    if unknown := set(given.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(unknown)}")
    for part in given.parts or PARTS:
        began = time.monotonic()
        print(f"== {part}", flush=True)
        PARTS[part](given.processes, given.curves)
        print(f"\n({part}: {time.monotonic() - began:.0f} s)\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
