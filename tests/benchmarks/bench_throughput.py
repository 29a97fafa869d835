"""1,000 trials of half a second on two slots against the ideal 250 s, and seconds from a stop to the next trial.

    python tests/benchmarks/bench_throughput.py                  # 1,000 trials, then 60 under ASHA: about 6 minutes
    python tests/benchmarks/bench_throughput.py --trials 100 --stops 30

The worker trains nothing: it sleeps, and reports as training does. Everything else is the search as users run it: the
log on disk, TPE's proposals, Tune, warm slots, the mailbox. A stop is timed from the decision's line in trials.jsonl
to the moment at which the same worker process begins the next trial.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sleep_tune.config.schema import RunConfig
from sleep_tune.output_redirection import redirect_output, terminal
from sleep_tune.records import Outcome, Report
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker
from sleep_tune.search.run.on_ray import cluster, own_ray
from sleep_tune.search.run.on_ray.slot_plan import SlotPlan
from sleep_tune.search.space.search_space import Finalists, Parameter, Scheduler, Space, Stop, Uniform

SLOTS = 2
SECONDS = 0.5


@dataclass(frozen=True)
class Timed:
    """A fake worker that writes down when it began and ended a trial, and in which process."""

    times: Path
    worker: FakeWorker

    def __call__(self, config: RunConfig, report: Report) -> Outcome:
        """Sleep, reporting."""
        began = time.time()
        outcome = self.worker(config, report)
        with self.times.open("a") as file:
            file.write(f"{os.getpid()} {Path(str(config.run.dir)).name} {began} {time.time()}\n")
        return outcome


def search(folder: Path, trials: int, scheduler: Scheduler) -> list[tuple[int, str, float, float]]:
    """Run a search; (process, trial, begin, end) of each trial in the order of their ends."""
    from sleep_tune.search.run.on_ray import tuner

    space = Space(
        name=folder.name,
        parameters=(Parameter("sleep.replay.ratio", Uniform(0.1, 0.8)),),
        scheduler=scheduler,
        stop=Stop(trials=trials),
        finalists=Finalists(count=0),
    )
    folder.mkdir()
    times = folder / "times.txt"
    director = Director(space, RunConfig(), TOY_CORPUS, folder)
    tuner.run_on_ray(
        director,
        Timed(times, FakeWorker(seconds=SECONDS)),
        SlotPlan(slots=SLOTS, workers=1, cpus_per_worker=1, gpus_per_worker=0),
        logs=folder / "logs",
        interrupted=lambda: False,
        tick=lambda: None,
    )
    director.close()
    lines = [line.split() for line in times.read_text().splitlines()]
    return [(int(process), name, float(began), float(ended)) for process, name, began, ended in lines]


def turnovers(folder: Path, times: list[tuple[int, str, float, float]]) -> list[float]:
    """Seconds from each decision to stop to the next trial of the same process."""
    events = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    stopped = {
        event["trial"]: event["time"]
        for event in events
        if event["event"] == "rung" and event["data"]["decision"] == "stop"
    }
    found = []
    for process, name, _, ended in times:
        after = [began for other, _, began, _ in times if other == process and began >= ended]
        if name in stopped and after:
            found.append(min(after) - stopped[name])
    return found


def main(arguments: Sequence[str]) -> int:
    """Time both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--stops", type=int, default=60, help="trials of the search under ASHA")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name, terminal() as ours:
        root = Path(name)
        began = time.time()
        with (
            redirect_output(root / "noise.log"),
            own_ray.start_own_ray(replace(cluster.this_machine(), cpus=SLOTS, gpus=0)),
        ):
            times = search(root / "throughput", given.trials, Scheduler(name="none"))
            with_start = time.time() - began
            stops = turnovers(root / "stops", search(root / "stops", given.stops, Scheduler(first_rung=0.3)))
        ideal = given.trials * SECONDS / SLOTS
        took = max(ended for *_, ended in times) - min(began for _, _, began, _ in times)
        print(f"{len(times)} trials of {SECONDS} s on {SLOTS} slots; ideal {ideal:.0f} s", file=ours)
        print(f"first step to last  {took:7.1f} s, {took / ideal:.3f} of the ideal", file=ours)
        print(f"with Ray's start    {with_start:7.1f} s, {with_start / ideal:.3f} of the ideal", file=ours)
        print(
            f"decision to stop -> next trial of the slot: median {statistics.median(stops):.3f} s, "
            f"longest {max(stops):.3f} s, of {len(stops)}",
            file=ours,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
