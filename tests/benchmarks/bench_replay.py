"""What a long search costs its driver: `python tests/benchmarks/bench_replay.py` (a few minutes).

Replays a log of 100,000 events, measures the memory of a driver with 10,000 trials, and times one step of it at
several sizes.
Every measurement runs in a process of its own, so that peaks of memory are its alone.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from statistics import median

from sleep_tune.config.schema import RunConfig
from sleep_tune.experiment.event_log import EventLog, LineWriter
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.search.decide.director import Director, Trial
from sleep_tune.search.decide.search_history import FoldedLog
from sleep_tune.search.space.search_space import (
    Choice,
    CorpusSummary,
    Finalists,
    Parameter,
    Scheduler,
    Search,
    Space,
    Stop,
    Uniform,
)
from sleep_tune.simulation.engine import MemoryLog

BASE = RunConfig()
CORPUS = CorpusSummary(words=10_000_000, samples=111_600)
BUDGET = 100_000_000
METRICS = ["eval/nll", "eval/pseudo_perplexity", *(f"eval/pairs/paradigm_{number:02}" for number in range(12))]


def study(algorithm: str = "tpe") -> Space:
    """The README's search: five options, one of them conditional; three rungs; a hundred thousand trials."""
    strategy = "sleep.replay.strategy"
    return Space(
        name="long",
        parameters=(
            Parameter("sleep.folds", Choice((5, 10, 20, 50, 100))),
            Parameter("sleep.replay.ratio", Uniform(0.05, 0.8)),
            Parameter(strategy, Choice(("strict", "weighted", "random"))),
            Parameter("sleep.replay.decay", Uniform(0.0, 0.7), {strategy: ("strict", "weighted")}),
            Parameter("sleep.length.passes", Choice((1.0, 2.0, 3.0, 5.0))),
        ),
        search=Search(algorithm=algorithm),
        scheduler=Scheduler(first_rung=0.1, reduction=3, within="sleep.length.passes"),
        stop=Stop(trials=100_000),
        finalists=Finalists(count=3, seeds=5),
    )


def run(director: Director, trials: int, random: Random) -> None:
    """Train nothing, one at a time: rungs, ends, all drawn at random."""
    for _ in range(trials):
        trial = director.next()
        assert isinstance(trial, Trial)
        told = Decision.CONTINUE
        for share in (*director.rungs, 1.0):
            rung = round(share * BUDGET)
            told = director.on_progress(trial.id, progress(rung, random))
            if told is Decision.STOP:
                break
        state = "stopped" if told is Decision.STOP else "completed"
        director.on_end(trial.id, outcome(state, random))


def progress(rung: int, random: Random) -> Progress:
    """A rung's report, with as many metrics as a run has."""
    return Progress(
        words_seen=rung + 100,
        budget_words=BUDGET,
        updates=rung // 4000,
        phase="wake",
        cycle=1,
        pass_index=0,
        fold=3,
        folds=10,
        read_ratio=0.5,
        seconds=rung / 10_000,
        rung=rung,
        metrics={name: random.random() for name in METRICS},
    )


def outcome(state: str, random: Random) -> Outcome:
    """A run's end."""
    metrics = {name: random.random() for name in METRICS}
    return Outcome(
        state=state, words_seen=BUDGET, updates=25_000, seconds=1e4, flops=1e15, device="NVIDIA H100", metrics=metrics
    )


def make_search(folder: Path, trials: int) -> Path:
    """A search of so many random trials, as it stands when its driver has been killed."""
    log = MemoryLog()
    run(Director(study("random"), BASE, CORPUS, folder, log=log), trials, Random(0))
    Director(study("random"), BASE, CORPUS, folder).close()
    writer = LineWriter()
    (folder / "trials.jsonl").write_bytes(b"".join(map(writer.line, log.kept)))
    return folder


def peak_megabytes() -> float:
    """The most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_replay(folder: Path) -> Iterator[str]:
    """Reading and replaying the whole log."""
    before, cpu_before = time.perf_counter(), time.process_time()
    with EventLog(folder / "trials.jsonl") as log:
        known = FoldedLog(study(), BASE, log.events)
        num_events = len(log.events)
    seconds, cpu_seconds = time.perf_counter() - before, time.process_time() - cpu_before
    yield f"replay of {num_events:,} events, {len(known.state.trials):,} trials: {cpu_seconds:.2f} s of the CPU's time "
    yield f"(at most 5), {seconds:.2f} s by the clock\n"


def measure_memory(folder: Path) -> Iterator[str]:
    """A driver that resumes with all these trials, and trains a few more."""
    before = peak_megabytes()
    director = open_driver(folder, "random")
    run(director, 50, Random(1))
    director.close()
    yield f"driver at {len(director.trials):,} trials: {peak_megabytes():.0f} MB at its peak (at most 1,000), "
    yield f"{before:.0f} MB of them before it opened its log\n"


def measure_steps(folder: Path) -> Iterator[str]:
    """What one call costs, by the CPU's clock."""
    for algorithm in ("random", "tpe"):
        director = open_driver(folder, algorithm)
        asks, reports = [], []
        for number in range(20):
            began = time.process_time()
            trial = director.next()
            asks.append(time.process_time() - began)
            assert isinstance(trial, Trial)
            rung = round(director.rungs[0] * BUDGET)
            began = time.process_time()
            director.on_progress(trial.id, progress(rung, Random(number)))
            reports.append(time.process_time() - began)
            director.on_end(trial.id, outcome("completed", Random(number)))
        director.close()
        yield f"{len(director.trials):>6,} trials, {algorithm:>6}: next {1000 * median(asks):6.1f} ms, "
        yield f"a rung's report {1000 * median(reports):4.1f} ms\n"


def open_driver(folder: Path, algorithm: str) -> Director:
    """A driver that resumes the folder's search and writes its log to the disk."""
    return Director(study(algorithm), BASE, CORPUS, folder)


MEASURES = {"replay": measure_replay, "memory": measure_memory, "steps": measure_steps}


def main() -> None:
    """Make the logs, and measure each thing in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", nargs="?", choices=MEASURES)
    parser.add_argument("folder", nargs="?", type=Path)
    given = parser.parse_args()
    if given.measure is not None:
        print("".join(MEASURES[given.measure](given.folder)), end="")
        return
    print(f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} CPUs shared with other work")
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sizes = {"events": 17_200, "memory": 10_000, "small": 100, "middle": 1_000}
        folders = {size: make_search(root / size, trials) for size, trials in sizes.items()}
        measure("replay", folders["events"])
        measure("memory", folders["memory"])
        for size in ("small", "middle", "memory"):
            measure("steps", folders[size])


def measure(what: str, folder: Path) -> None:
    """Measure one thing, in another process."""
    subprocess.run([sys.executable, __file__, what, str(folder)], check=True)


if __name__ == "__main__":
    main()
