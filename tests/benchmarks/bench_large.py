"""Large experiments: `python tests/benchmarks/bench_large.py` (a few minutes). Nothing is trained.

Measures what a user waits for with 5,000 trials in a log, with a comparison of 500 arms, and with a space of 100
parameters: seconds of the processor and the peak of memory of each, every one in a process of its own.
"""

import argparse
import io
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from rich.console import Console

sys.path.insert(0, str(Path(__file__).parents[2]))

from sleep_tune.results.folder_comparison import compare_folders
from sleep_tune.results.report.page import write_report
from sleep_tune.results.table_files import write_tables
from sleep_tune.results.terminal import print_comparison
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.monitor.status import show_status
from sleep_tune.search.space.search_space import Parameter, Uniform
from tests.benchmarks.bench_replay import make_search as make_driven
from tests.benchmarks.bench_replay import measure_steps
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import make_search

TRIALS, ARMS, PARAMETERS, SEEDS = 5_000, 500, 100, 5


def make_arms(folder: Path) -> None:
    """An experiment whose comparison has very many finalists."""
    log, random = SyntheticLog(folder), Random(0)
    log.open(name=folder.name)
    for seed in range(SEEDS):
        log.run("epochs", seed, 4.0 + random.gauss(0, 0.02), 0.8)
        for arm in range(1, ARMS + 1):
            parameters = {"sleep.folds": arm, "sleep.replay.ratio": 0.3}
            nll = 4.0 - arm / 5000 + random.gauss(0, 0.02)
            log.run(f"t{arm:04d}", seed, nll, 0.8, role="finalist", parameters=parameters)


def make_wide(folder: Path) -> None:
    """A search over very many parameters: made-up ones, since a run has fewer options."""
    log, random = SyntheticLog(folder), Random(0)
    keys = [parameter.key for parameter in wide()]
    log.open(name=folder.name, parameters={key: {} for key in keys})
    for number in range(1, 201):
        values = {key: random.random() for key in keys}
        log.ask(f"t{number:04d}", parameters=values)
        log.complete(f"t{number:04d}", {"eval/nll": 4.0 + values[keys[0]] + random.gauss(0, 0.02)})
    for seed in range(SEEDS):
        log.run("epochs", seed, 4.0 + random.gauss(0, 0.02), 0.8)
        log.run("t0001", seed, 3.9 + random.gauss(0, 0.02), 0.8, role="finalist", parameters=values)


def wide() -> tuple[Parameter, ...]:
    """Very many parameters."""
    return tuple(Parameter(f"sleep.option_{number:03d}", Uniform(0.0, 1.0)) for number in range(PARAMETERS))


def open_and_step(folder: Path) -> str:
    """Open the search as a driver that resumes it, and let it ask for trials."""
    return "".join(measure_steps(folder)).strip()


def see_status(folder: Path) -> str:
    """Show where the search stands."""
    screen = io.StringIO()
    show_status(folder, (), folder.parent, Console(file=screen, width=100))
    return f"{len(screen.getvalue().splitlines())} lines"


def compare(folder: Path) -> str:
    """Compare, print and write tables, as compare.py does."""
    screen = io.StringIO()
    print_comparison(compare_folders([str(folder)])[0], Console(file=screen, width=100))
    write_tables(folder)
    files = {path.suffix: path.stat().st_size / 1e6 for path in (folder / "tables").glob("comparison.*")}
    sizes = ", ".join(f"{suffix} {size:.2f} MB" for suffix, size in sorted(files.items()))
    return f"{len(screen.getvalue().splitlines())} lines; {sizes}"


def report(folder: Path) -> str:
    """Write report.html."""
    return f"{write_report(folder).stat().st_size / 1e6:.2f} MB"


def ask(algorithm: str) -> Callable[[Path], str]:
    """Ask a sampler with 500 trials of very many parameters for ten more."""

    def asked(folder: Path) -> str:
        random = Random(0)
        sampler = Sampler(wide(), algorithm=algorithm, mode="min", seed=0, startup=10)
        for number in range(500):
            chosen = sampler.ask(number, explore=True)
            sampler.add(str(number), chosen)
            sampler.tell_completed(str(number), random.random())
        began = time.process_time()
        for number in range(500, 510):
            sampler.ask(number)
        return f"{100 * (time.process_time() - began):.0f} ms for each ask"

    return asked


MEASURES: dict[str, tuple[str, Callable[[Path], str]]] = {
    "resume": ("driven", open_and_step),
    "status": ("driven", see_status),
    "compare": ("trials", compare),
    "report": ("trials", report),
    "compare arms": ("arms", compare),
    "report of arms": ("arms", report),
    "ask tpe": ("wide", ask("tpe")),
    "ask random": ("wide", ask("random")),
    "compare wide": ("wide", compare),
    "report of wide": ("wide", report),
}
"""What is measured -> the folder that it needs, and how it is done."""


def main() -> None:
    """Make the folders, and measure each thing in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", nargs="?", choices=MEASURES)
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    if given.measure is not None:
        began = time.process_time()
        said = MEASURES[given.measure][1](given.folder)
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{given.measure:15} {time.process_time() - began:7.2f} s {used:6.0f} MB  {said}")
        return
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs shared with other work")
    print(f"{TRIALS:,} trials; {ARMS} arms over {SEEDS} seeds; {PARAMETERS} parameters", flush=True)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        make_driven(root / "driven", TRIALS)
        make_search(root / "trials", TRIALS, seeds=SEEDS)
        make_arms(root / "arms")
        make_wide(root / "wide")
        for measure, (folder, _) in MEASURES.items():
            subprocess.run([sys.executable, __file__, measure, str(root / folder)], check=True)


if __name__ == "__main__":
    main()
