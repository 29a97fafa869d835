"""Seconds from a trial's last report to the next trial's first step, in a warm slot and as Ray documents it.

    python tests/benchmarks/bench_turnover.py                 # 2 peer trials, 20 of ours, 4 with real training
    python tests/benchmarks/bench_turnover.py --peer 1 --warm 5 --real 0

The peer is what Ray's documentation recommends for tuning a Trainer: a Tune function that runs one TorchTrainer.fit
per trial. All sides run on the same Ray, one trial at a time; the worker writes down when it takes its first step and
when its last report has been answered. A slot is timed with a worker that trains nothing, as the peer's does, and with
real, tiny training, where the first step comes after a model is built and the corpus opened. The first trial of a slot
pays for the worker's imports and is left out; each of the peer's trials pays for them, which is the point.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from sleep_tune.config.load import compose
from sleep_tune.config.schema import RunConfig
from sleep_tune.output_redirection import redirect_output, terminal
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.search.decide.assignments import Worker
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.on_ray import own_ray
from sleep_tune.search.run.on_ray.cluster import this_machine
from sleep_tune.search.run.on_ray.slot_plan import SlotPlan
from sleep_tune.search.run.worker import summarize, train_worker
from sleep_tune.search.space.search_space import CorpusSummary, Finalists, Parameter, Search, Space, Stop, Uniform

REAL = [
    "data=toy",
    "data.sentences=400",
    "data.max_length=64",
    "tokenizer.vocab_size=300",
    "model=tiny",
    "sleep.folds=2",
    "budget.passes=2",
    "evaluation.samples=16",
    "evaluation.pairs=0",
    "training.save_model=false",
    "training.checkpoint_ratio=0",
]
"""A run of a second or two."""


@dataclass(frozen=True)
class Stopwatch:
    """Trains as `worker` does, and writes down the times of the first heartbeat and of the last report's answer."""

    worker: Worker
    times: Path

    def __call__(self, config: RunConfig, report: Report) -> Outcome:
        """Train."""
        first = last = 0.0

        def timed(progress: Progress) -> Decision:
            nonlocal first, last
            first = first or time.time()
            decision = report(progress)
            last = time.time()
            return decision

        outcome = self.worker(config, timed)
        with self.times.open("a") as file:
            file.write(f"{first} {last}\n")
        return outcome


def turnovers(times: Path) -> list[float]:
    """Last report to first step, for each pair of trials that followed one another."""
    lines = sorted(tuple(map(float, line.split())) for line in times.read_text().splitlines())
    return [after[0] - before[1] for before, after in pairwise(lines)]


def warm(folder: Path, base: RunConfig, corpus: CorpusSummary, worker: Worker, trials: int) -> list[float]:
    """One of our slots, `trials` trials one after another."""
    from sleep_tune.search.run.on_ray import tuner

    space = Space(
        name=folder.name,
        parameters=(Parameter("sleep.replay.ratio", Uniform(0.1, 0.8)),),
        stop=Stop(trials=trials),
        search=Search(algorithm="random"),
        finalists=Finalists(count=0),
    )
    folder.mkdir()
    director = Director(space, base, corpus, folder)
    seats = SlotPlan(slots=1, workers=1, cpus_per_worker=1, gpus_per_worker=0)
    watched = Stopwatch(worker, folder / "times.txt")
    tuner.run_on_ray(director, watched, seats, logs=folder / "logs", interrupted=lambda: False, tick=lambda: None)
    director.close()
    return turnovers(folder / "times.txt")


def peer(folder: Path, trials: int) -> list[float]:
    """Ray's recommended shape: a Tune function that runs TorchTrainer.fit, one trial at a time."""
    from ray import tune

    folder.mkdir()

    def trial(config: dict[str, Any]) -> None:
        import ray.train
        from ray.train.torch import TorchTrainer
        from ray.tune.integration.ray_train import TuneReportCallback

        def loop(settings: dict[str, Any]) -> None:
            first = time.time()
            for step in range(3):
                ray.train.report({"step": step})
            with (folder / "times.txt").open("a") as file:
                file.write(f"{first} {time.time()}\n")

        TorchTrainer(
            loop,
            train_loop_config=config,
            scaling_config=ray.train.ScalingConfig(num_workers=1),
            run_config=ray.train.RunConfig(
                name=tune.get_context().get_trial_id(),
                storage_path=str(folder / "train"),
                callbacks=[TuneReportCallback()],  # type: ignore[list-item, no-untyped-call]
            ),
        ).fit()

    tune.Tuner(
        tune.with_resources(trial, {"CPU": 1}),
        param_space={"number": tune.grid_search(list(range(trials + 1)))},
        tune_config=tune.TuneConfig(max_concurrent_trials=1),
        run_config=tune.RunConfig(storage_path=str(folder / "tune"), verbose=0),
    ).fit()
    return turnovers(folder / "times.txt")


def main(arguments: Sequence[str]) -> int:
    """Time all three and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", type=int, default=2, help="turnovers of the peer to time (20-40 s each)")
    parser.add_argument("--warm", type=int, default=20, help="turnovers of a warm slot")
    parser.add_argument("--real", type=int, default=4, help="turnovers of a warm slot with real training")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, terminal() as ours:
        root = Path(name)
        fake = FakeWorker(seconds=0.1)
        base = compose(REAL)
        sides: dict[str, Callable[[], list[float]]] = {
            "warm slot": lambda: warm(root / "warm", RunConfig(), fake.corpus, fake, given.warm + 1),
            "one TorchTrainer.fit per trial": lambda: peer(root / "peer", given.peer),
        }
        if given.real:
            sides["warm slot, real training"] = lambda: warm(
                root / "real", base, summarize(base), train_worker, given.real + 1
            )
        measured: dict[str, list[float]] = {}
        with redirect_output(root / "noise.log"), own_ray.start_own_ray(replace(this_machine(), gpus=0)):
            for side, time_it in sides.items():
                measured[side] = time_it()
        for side, seconds in measured.items():
            told = f"median {statistics.median(seconds):7.3f} s, longest {max(seconds):7.3f} s, of {len(seconds)}"
            print(f"{side:32}{told}", file=ours)
        of_peer = statistics.median(measured["one TorchTrainer.fit per trial"])
        for side, seconds in measured.items():
            if "warm" in side:
                print(f"{side}: {of_peer / statistics.median(seconds):.0f} times faster than the peer", file=ours)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
