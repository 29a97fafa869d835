"""A whole search with a worker that trains nothing, as a process of its own that tests may kill.

`python tests/search/fake_search.py FOLDER [--seconds S] [--workers N] [--cpus N] [--bug TRIAL] [--diverge TRIAL] ...`
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from sleep_tune import cli
from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.errors import Diverged, OutOfMemory
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.search.decide.assignments import Worker
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker
from sleep_tune.search.run.launch import Interrupted, PreparedSearch
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Finalists,
    Parameter,
    Resources,
    Scheduler,
    Search,
    Space,
    Stop,
    Uniform,
)


@dataclass(frozen=True)
class Recorder:
    """Records every start (trial, process), then replays a curve or raises the requested error."""

    seconds: float
    bug: str
    diverge: str
    overflow: str = ""

    def __call__(self, config: RunConfig, report: Report) -> Outcome:
        """Train nothing."""
        assert config.run.dir is not None
        folder = Path(config.run.dir)
        with (folder.parents[1] / "starts.txt").open("a") as file:
            file.write(f"{folder.name} {os.getpid()} {time.time()}\n")
        print(f"{folder.name} prints this, and TMPDIR is {os.environ.get('TMPDIR')}")  # noqa: T201 - it must land in the trial's log
        if folder.name == self.bug:
            raise ZeroDivisionError("a bug of ours")
        if folder.name == self.diverge:
            raise Diverged("loss is nan")
        mark = folder.parents[1] / "running" / folder.name
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(str(os.getpid()))

        def watched(progress: Progress) -> Decision:
            if folder.name == self.overflow and any(map(is_alive, mark.parent.iterdir())):
                raise OutOfMemory("the device is too small for another run beside this one")
            return report(progress)

        try:
            return FakeWorker(seconds=self.seconds, heartbeats=10)(config, watched)
        finally:
            mark.unlink(missing_ok=True)  # the workers of a trial share it


def is_alive(mark: Path) -> bool:
    """Whether another process than this one trains the trial of this mark."""
    try:
        process = int(mark.read_text())
    except (OSError, ValueError):  # it has just ended, or begins
        return False
    return process != os.getpid() and psutil.pid_exists(process)


def study(folder: Path, *, trials: int = 3, workers: int = 1, cpus: int = 1, worker: Worker) -> PreparedSearch:
    """A small search, its baseline and its finalist over two seeds."""
    space = Space(
        name=folder.name,
        parameters=(
            Parameter("sleep.folds", Choice((5, 10, 20))),
            Parameter("sleep.replay.ratio", Uniform(0.1, 0.8)),
        ),
        stop=Stop(trials=trials),
        search=Search(startup=2),
        scheduler=Scheduler(first_rung=0.3),
        baselines={"epochs": Baseline()},
        finalists=Finalists(count=1, seeds=2),
        resources=Resources(workers=workers, cpus_per_worker=cpus),
    )
    base = RunConfig(training=TrainingConfig(batch_size=16))
    return PreparedSearch(space=space, base=base, corpus=TOY_CORPUS, folder=folder, worker=worker)


def main(arguments: list[str]) -> int:
    """Search."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=0.2)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--cpus", type=int, default=1)
    parser.add_argument("--bug", default="")
    parser.add_argument("--diverge", default="")
    parser.add_argument("--overflow", default="")
    parser.add_argument("--launcher", default="ray")
    parser.add_argument("--address")
    given = parser.parse_args(arguments)
    worker = Recorder(given.seconds, given.bug, given.diverge, given.overflow)
    search = study(given.folder, trials=given.trials, workers=given.workers, cpus=given.cpus, worker=worker)
    try:
        search.run(launcher=given.launcher, address=given.address)
    except Interrupted as signal:
        return signal.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(lambda arguments: main(list(arguments)), sys.argv[1:]))
