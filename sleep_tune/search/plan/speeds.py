"""How fast a run trains, as it was measured for a plan or in earlier experiments. Reads and writes files alone.

A speed holds for runs of the same model, length of rows, batch and kind of device. Those that were measured for a plan
are kept in `.speeds.jsonl` in the results folder, one JSON object a line; an experiment's are in its trials.jsonl.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.errors import UserError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file
from sleep_tune.records import is_number

__all__ = ["FILE", "Speed", "find_speed", "of_workers", "remember"]

FILE = ".speeds.jsonl"

NO_GPU = ("cpu", "fake")
"""Devices that are none; the second is the fake worker's."""

LIKE = (
    "model",
    "data.max_length",
    "tokenizer.vocab_size",
    "training.batch_size",
    "training.accumulation",
    "training.precision",
    "training.compile",
)
"""Options and sections in which two runs must be alike for one to tell the speed of the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast one trial trains."""

    words_per_second: float
    """While it trains; of an experiment, its evaluations included."""
    evaluation_seconds: float = 0.0
    """Of one evaluation on dev; 0 where the words per second include it."""
    test_seconds: float = 0.0
    """Of what is evaluated beyond that at the end of baselines and finalists."""
    start_seconds: float = 0.0
    """From being given a slot to the first update, and from the last to the slot's being free."""
    device: str
    """As torch names it."""
    time: float
    """When it was measured, in seconds since 1970."""
    source: str
    """Where it is from, in words."""

    def seconds(self, words: float, *, evaluations: int, tested: bool = False) -> float:
        """What a run takes that sees so many words and is evaluated so many times."""
        training = words / self.words_per_second + evaluations * self.evaluation_seconds
        return self.start_seconds + training + (self.test_seconds if tested else 0.0)


@dataclass(frozen=True, slots=True)
class _Run:
    time: float
    device: str
    words: int
    seconds: float


def remember(results: Path, base: RunConfig, workers: int, speed: Speed) -> None:
    """Add a speed to those that later plans find.

    Args:
        results: the folder of all experiments; made if need be.
        base: what was trained.
        workers: of a trial.
        speed: what was measured.
    """
    results.mkdir(parents=True, exist_ok=True)
    line = {"like": _like(flatten(to_dict(base)), workers), "speed": asdict(speed)}
    with (results / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def of_workers(speed: Speed, workers: int) -> Speed:
    """The speed of a trial of several workers, from that of one: at best so many times as fast, which is assumed."""
    if workers == 1:
        return speed
    source = f"{speed.source}, taken {workers} times for {workers} workers"
    return replace(speed, words_per_second=speed.words_per_second * workers, source=source)


def find_speed(results: Path, base: RunConfig, workers: int, *, on_gpu: bool) -> Speed | None:
    """The latest speed of runs like `base`: one measured for a plan, or that of an experiment's completed runs.

    Args:
        results: the folder of all experiments.
        base: what would be trained.
        workers: of a trial.
        on_gpu: whether trials would hold GPUs.
    """
    wanted = _like(flatten(to_dict(base)), workers)
    speeds = [*_remembered(results / FILE, wanted), *_of_experiments(results, wanted)]
    fitting = [speed for speed in speeds if (speed.device not in NO_GPU) == on_gpu]
    return max(fitting, key=lambda speed: speed.time, default=None)


def _like(options: Mapping[str, Any], workers: int) -> dict[str, Any]:
    like = {key: value for key, value in options.items() if key in LIKE or key.split(".")[0] in LIKE}
    return json.loads(json.dumps(like | {"workers": workers})) or {}


def _remembered(file: Path, wanted: Mapping[str, Any]) -> Iterator[Speed]:
    if not file.is_file():
        return
    for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            told = json.loads(line)
            speed = Speed(**told["speed"]) if told["like"] == wanted else None
        except (ValueError, TypeError, KeyError, RecursionError):
            continue  # a torn line, or one of another version
        if speed is not None and _is_sound(speed):
            yield speed


def _is_sound(speed: Speed) -> bool:
    """Whether a speed that was read is one: of the right types, and above 0."""
    amounts = (speed.evaluation_seconds, speed.test_seconds, speed.start_seconds, speed.time, speed.words_per_second)
    texts = isinstance(speed.device, str) and isinstance(speed.source, str)
    return texts and all(is_number(amount) and 0 <= amount < math.inf for amount in amounts) and amounts[-1] > 0


def _of_experiments(results: Path, wanted: Mapping[str, Any]) -> Iterator[Speed]:
    """The mean speed of each experiment's completed runs that are like what is wanted, one for each device."""
    for file in sorted(results.glob(f"*/{EXPERIMENT}")):
        try:
            told = read_experiment_file(file)
            options = flatten(told["base"])
            workers = int(told["space"]["resources"]["workers"])
            runs = _completed(file.parent / LOG, options, workers, wanted)
        except (UserError, OSError, KeyError, TypeError, AttributeError, ValueError):
            continue  # no experiment, or one that cannot be read
        for device in dict.fromkeys(run.device for run in runs):
            same = [run for run in runs if run.device == device]
            yield Speed(
                words_per_second=sum(run.words for run in same) / sum(run.seconds for run in same),
                device=device,
                time=max(run.time for run in same),
                source=f"{len(same)} completed run{'s' * (len(same) != 1)} of {file.parent}, evaluations included",
            )


def _completed(log: Path, options: Mapping[str, Any], workers: int, wanted: Mapping[str, Any]) -> list[_Run]:
    """The completed runs of a log that are like what is wanted; what was taken over from another run is none."""
    parameters: dict[str | None, Mapping[str, Any]] = {}
    runs = []
    for event in read_events(log):
        if event.event == "asked":
            parameters[event.trial] = event.data.get("parameters", {})
        outcome = event.data.get("outcome")
        if event.event != "completed" or event.data.get("repeats") or not outcome or not outcome["seconds"]:
            continue
        if _like({**options, **parameters.get(event.trial, {})}, workers) == wanted:
            runs.append(_Run(event.time, outcome["device"], outcome["words_seen"], outcome["seconds"]))
    return runs
