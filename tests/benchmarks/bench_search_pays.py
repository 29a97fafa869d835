"""Does searching pay? Simulated searches of every kind at equal cost against random search; bench_search_pays.txt.

    python tests/benchmarks/bench_search_pays.py run RESULTS.jsonl        # hours of one core; run again, it resumes
    python tests/benchmarks/bench_search_pays.py run RESULTS.jsonl --methods gp --seeds 20 --curves recorded/text
    python tests/benchmarks/bench_search_pays.py print RESULTS.jsonl      # the tables of what is there
    python tests/benchmarks/bench_search_pays.py noise                    # seeds' noise beside the settings' spread

Every search costs as much as RUNS complete runs, in words, and is compared with random search without early stopping:
the difference of their regrets, paired over seeds. A seed is of the analytic landscape, the sampler and all runs. A
run's noise is drawn from the recorded seeds of the settings nearest to its own.

Names such as asha 0.1 are of ASHA with another first rung; seeds 100 unless the table says otherwise (gp is slow).

The regret of a search is that of the trial it ranks first. The regret after the finalists is that of the one with the
best mean over five fresh seeds, of the three that it ranks first: what a user gets. All methods pay as much for that.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.search.monitor.rank_correlation import concordance
from sleep_tune.search.space.base import compose_base
from sleep_tune.simulation.curves import Source, read_source
from sleep_tune.simulation.landscape import Landscape, best_settings
from sleep_tune.simulation.method_comparison import Interval, mean_interval
from sleep_tune.simulation.methods import SearchMethod, read_methods
from sleep_tune.simulation.points import coordinates, distances, draw
from sleep_tune.simulation.rank_agreement import rank_agreement
from sleep_tune.simulation.recorded_curves import FOLDER as RECORDINGS
from sleep_tune.simulation.recorded_curves import NEIGHBOURS, Recording
from sleep_tune.simulation.simulated_search import Setup, simulate_search

FOLDER = Path(__file__).parent
TEXT = "recorded/text"
NOISIER = ", noise x "
CURVES = ("crossing", "one_pass", "recorded/replay", TEXT, f"{TEXT}{NOISIER}4")
"""Names of the sources, and by which number the noise of the seeds is multiplied."""

RUNS = 24.0
"""Cost of a search, in complete runs; a default search of 64 trials costs about 36."""

SHARES = (0.11, 0.33, 0.5, 1.0)
"""Shares of the budget at which early values are compared with the end; the methods' rungs lie near them."""

RANDOM, DEFAULT = "random", "tpe, asha"
"""Methods that all others are compared with."""

METHODS = {
    RANDOM: "algorithm=random",
    "qmc": "algorithm=qmc",
    "tpe": "algorithm=tpe",
    "gp": "algorithm=gp",
    "random, asha": "algorithm=random,scheduler.name=asha",
    "random, asha 0.1": "algorithm=random,scheduler.name=asha,first_rung=0.1",
    DEFAULT: "algorithm=tpe,scheduler.name=asha",
    "tpe, asha 0.1": "algorithm=tpe,scheduler.name=asha,first_rung=0.1",
    "tpe, asha 0.5, eta 2": "algorithm=tpe,scheduler.name=asha,first_rung=0.5,reduction=2",
    "tpe, promotion": "algorithm=tpe,scheduler.name=promotion",
    "tpe, promotion 0.1": "algorithm=tpe,scheduler.name=promotion,first_rung=0.1",
}
"""Name -> options that differ from the study's own."""


def run(out: Path, methods: Sequence[str], curves: Sequence[str], seeds: int) -> None:
    """Run the searches that the file does not have yet, and add a line for each."""
    known = {(line["curves"], line["method"], line["seed"]) for line in read(out)} if out.exists() else set()
    for seed in range(seeds):
        for name in curves:
            for method in methods:
                if (name, method, seed) in known:
                    continue
                landscape, best = landscape_of(name, 0 if source(name).recording else seed)
                found = simulate_search(arm(name, method), landscape, best, seed, setup_of(name))
                line = {
                    "curves": name,
                    "method": method,
                    "seed": seed,
                    "regrets": [round(regret, 6) for regret in found.regrets],
                    "finalist": round(found.finalist, 6),
                    "trials": found.trials,
                }
                with out.open("a") as file:
                    file.write(json.dumps(line) + "\n")


def print_results(out: Path) -> None:
    """Print a table for each source of curves, in thousandths of a nat."""
    lines = read(out)
    for name in CURVES:
        found: dict[str, dict[int, dict[str, Any]]] = {}
        for line in lines:
            if line["curves"] == name:
                found.setdefault(line["method"], {})[line["seed"]] = line
        if RANDOM not in found:
            continue
        print(f"\n{name}, at the cost of {RUNS:g} complete runs; thousandths of a nat, with 95% intervals")
        print(f"  {'':24}{'':6}{'':8}{'---- first of the search ----':>32}{'---- after the finalists ----':>34}")
        titles = (("search", 24), ("seeds", 6), ("trials", 8), ("regret", 16), ("from random", 16))
        more = (("regret", 18), ("from random", 16), (f"from {DEFAULT}", 18))
        print(
            "  " + "".join(f"{title:{'<' if title == 'search' else '>'}{width}}" for title, width in (*titles, *more))
        )
        for method in (*METHODS, *sorted(found.keys() - METHODS.keys())):
            if method in found:
                print("  " + row(method, found))


def row(method: str, found: Mapping[str, Mapping[int, dict[str, Any]]]) -> str:
    """One method's regrets, and their differences from two others, each over the seeds that both have."""
    mine = found[method]
    cells = [f"{method:<24}{len(mine):>6}{np.mean([line['trials'] for line in mine.values()]):>8.0f}"]
    for key, width, others in (("regret", 16, (RANDOM,)), ("finalist", 18, (RANDOM, DEFAULT))):
        cells.append(f"{text(mean_interval([value(line, key) for line in mine.values()])):>{width}}")
        for other, title in ((other, 16 if other == RANDOM else 18) for other in others):
            theirs = found.get(other, {})
            pairs = [value(mine[seed], key) - value(theirs[seed], key) for seed in sorted(mine.keys() & theirs.keys())]
            cells.append(f"{signed(mean_interval(pairs)) if pairs and other != method else '':>{title}}")
    return "".join(cells)


def value(line: dict[str, Any], key: str) -> float:
    """The regret at the full cost, or that after the finalists."""
    return float(line["finalist"] if key == "finalist" else line["regrets"][-1])


def text(at: Interval) -> str:
    """Thousandths."""
    return f"{1000 * at.mean:.1f} ± {1000 * at.half:.1f}"


def signed(at: Interval) -> str:
    """Thousandths with their sign, and a star if the interval does not contain 0."""
    return f"{1000 * at.mean:+.1f} ± {1000 * at.half:.1f}{'*' if abs(at.mean) > at.half else ' '}"


def noise(curves: Sequence[str]) -> None:
    """For each source, in thousandths of a nat: how much seeds vary, how much settings do, how well curves predict."""
    for name in curves:
        recording = source(name).recording
        if recording is None:
            median, quarter, seeds = np.mean([of_analytic(name, seed) for seed in range(10)], axis=0)
            print(f"{name}: mean of 10 landscapes")
        else:
            median, quarter, seeds = of_recording(recording)
            repeated = len(np.unique(recording.noise_settings))
            print(
                f"{name}: {len(recording.settings)} settings, {repeated} of them repeated, {len(recording.noise)} runs"
            )
        print(f"  end minus that of the best settings: a quarter is within {1000 * quarter:.0f}, half within ", end="")
        print(f"{1000 * median:.0f}; sd over seeds {1000 * seeds:.0f} among the better half", end="")
        print(f" ({seeds / quarter:.2f} of the quarter)")
        if recording is not None and NOISIER not in name:
            print(f"  sd over seeds that all settings share: {1000 * shared_noise(name):.0f}; it decides nothing")
            print(f"  a setting left out is predicted by its neighbours with Kendall's tau {left_out(recording):.2f}")
        taus = [
            [one.tau for one in rank_agreement(landscape_of(name, seed)[0], SHARES, seed, None)] for seed in range(5)
        ]
        at = ", ".join(f"{tau:.2f} at {share:.0%}" for share, tau in zip(SHARES, np.mean(taus, axis=0), strict=True))
        print(f"  Kendall's tau between a run's value at a share of the budget and its setting's end: {at}")


def of_analytic(name: str, seed: int) -> tuple[float, float, float]:
    """Median and first quartile of settings' ends above the best, and the standard deviation over seeds."""
    landscape, best = landscape_of(name, seed)
    rng = np.random.default_rng(seed)
    drawn = [draw(landscape.parameters, rng) for _ in range(200)]
    ends = np.array([landscape.truth(settings) for settings in drawn]) - best
    runs = [landscape.curve(settings, seed, 1.0) - landscape.truth(settings) for settings in drawn]
    return float(np.median(ends)), float(np.quantile(ends, 0.25)), float(np.std(runs))


def of_recording(recording: Recording) -> tuple[float, float, float]:
    """The same of recorded settings; the seeds' only over the better half, among which a search must choose."""
    ends = recording.values[:, -1]
    better = np.flatnonzero(ends <= np.median(ends))
    deviations = recording.noise[np.isin(recording.noise_settings, better), -1]
    above = ends - ends.min()
    return float(np.median(above)), float(np.quantile(above, 0.25)), float(np.sqrt(np.mean(deviations**2)))


def shared_noise(name: str) -> float:
    """Standard deviation over seeds of what a seed adds to all settings alike, among the better half of the repeated.

    All trials of a search have the same seed, so this part moves them together.
    """
    lines = read(RECORDINGS / f"{Path(name).name}.jsonl")[1:]
    ends: dict[str, list[float]] = {}
    for line in lines:
        ends.setdefault(json.dumps(line["settings"]), []).append(line["values"][-1])
    most = max(map(len, ends.values()))
    crossed = np.array([values for values in ends.values() if len(values) == most])
    crossed = crossed[crossed.mean(axis=1) <= np.median(crossed.mean(axis=1))]
    residual = crossed - crossed.mean(axis=1, keepdims=True) - crossed.mean(axis=0) + crossed.mean()
    error = (residual**2).sum() / ((len(crossed) - 1) * (most - 1))
    return float(np.sqrt(max(0.0, crossed.mean(axis=0).var(ddof=1) - error / len(crossed))))


def left_out(recording: Recording) -> float:
    """Leave each recorded setting out and predict its end from its neighbours: Kendall's tau."""
    points = np.array([coordinates(recording.parameters, settings) for settings in recording.settings])
    predicted = []
    for number, point in enumerate(points):
        apart = distances(recording.parameters, points, point)
        apart[number] = np.inf
        nearest = np.argsort(apart, kind="stable")[:NEIGHBOURS]
        predicted.append(float(np.average(recording.values[nearest, -1], weights=1 / (apart[nearest] + 1e-6))))
    net, most = concordance(list(zip(predicted, recording.values[:, -1].tolist(), strict=True)))
    return net / most


def read(out: Path) -> list[dict[str, Any]]:
    """All lines of a file of results."""
    return [json.loads(line) for line in out.read_text().splitlines()]


@cache
def source(name: str) -> Source:
    """The source of curves of a name, over the parameters of its space."""
    base, _, factor = name.partition(NOISIER)
    found = read_source(base, arm(name, RANDOM).space.parameters)
    if not factor or found.recording is None:
        return found
    noisier = dataclasses.replace(found.recording, noise=float(factor) * found.recording.noise)
    return dataclasses.replace(found, recording=noisier)


@cache
def arm(name: str, method: str) -> SearchMethod:
    """A method over some curves: recorded ones have their own parameters, and those of the text no number of passes."""
    every = "scheduler.name=none" + (",within=null" if name.startswith(TEXT) else "")
    return read_methods(FOLDER / "mechanism.yaml", [METHODS[method]], slots=1, every=every)[1]


@cache
def setup_of(name: str) -> Setup:
    """What all searches over some curves share."""
    return Setup(compose_base(arm(name, RANDOM).space), runs=RUNS)


@cache
def landscape_of(name: str, seed: int) -> tuple[Landscape, float]:
    """A landscape and the loss of its best settings."""
    landscape = source(name).landscape(seed)
    return landscape, landscape.truth(best_settings(landscape))


def main() -> int:
    """Run, print, or describe the noise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("run", "print", "noise"))
    parser.add_argument("results", type=Path, nargs="?", default=Path("search_pays.jsonl"))
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--curves", nargs="+", choices=CURVES, default=list(CURVES))
    parser.add_argument("--seeds", type=int, default=100)
    given = parser.parse_args()
    if given.what == "run":
        run(given.results, given.methods, given.curves, given.seeds)
    elif given.what == "print":
        print_results(given.results)
    else:
        noise(given.curves)
    return 0


if __name__ == "__main__":
    sys.exit(main())
