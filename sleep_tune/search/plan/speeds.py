"""The speed of training, from `--calibrate` or from earlier experiments.

A speed holds for runs of the same model, row length, batch size and kind of device. Measured speeds are kept in
`.speeds.jsonl` in the results folder, one JSON object a line; those of experiments are read from their logs.
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
from sleep_tune.experiment.experiment_file import EXPERIMENT
from sleep_tune.records import is_number
from sleep_tune.search.decide.experiment_identity import ExperimentIdentity

__all__ = ["FILE", "Speed", "find_speed", "save_speed", "scale_speed"]

FILE = ".speeds.jsonl"

NO_GPU = ("cpu", "fake")
"""Device names without a GPU; 'fake' is the fake worker's."""

LIKE = (
    "model",
    "data.max_length",
    "tokenizer.vocab_size",
    "training.batch_size",
    "training.accumulation",
    "training.precision",
    "training.compile",
)
"""Options and sections that must be equal for two runs to have the same speed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """The speed of one trial."""

    words_per_second: float
    """During training; if read from an experiment, evaluations are included."""
    evaluation_seconds: float = 0.0
    """One evaluation on dev; 0 if words_per_second includes it."""
    test_seconds: float = 0.0
    """The evaluation on test at the end of baselines and finalists."""
    start_seconds: float = 0.0
    """Time in the slot before the first update and after the last one."""
    device: str
    """Name of the device in torch."""
    time: float
    """Time of the measurement, in seconds since 1970."""
    source: str
    """Where the speed comes from, as a text."""

    def seconds(self, words: float, *, evaluations: int, tested: bool = False) -> float:
        """Return the duration of a run in seconds."""
        training = words / self.words_per_second + evaluations * self.evaluation_seconds
        return self.start_seconds + training + (self.test_seconds if tested else 0.0)


@dataclass(frozen=True, slots=True)
class _TimedRun:
    time: float
    device: str
    words: int
    seconds: float


def save_speed(results: Path, base: RunConfig, workers: int, speed: Speed) -> None:
    """Keep a speed for later plans.

    Args:
        results: the folder of all experiments; made if absent.
        base: the configuration that was trained.
        workers: processes of a trial.
        speed: the measured speed.
    """
    results.mkdir(parents=True, exist_ok=True)
    line = {"like": _like(flatten(to_dict(base)), workers), "speed": asdict(speed)}
    with (results / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def scale_speed(speed: Speed, workers: int) -> Speed:
    """Return the speed of a trial of several workers, assuming that it grows in proportion to their number."""
    if workers == 1:
        return speed
    source = f"{speed.source}, multiplied by {workers} workers"
    return replace(speed, words_per_second=speed.words_per_second * workers, source=source)


def find_speed(results: Path, base: RunConfig, workers: int, *, on_gpu: bool) -> Speed | None:
    """Return the latest speed of runs like `base`, from `--calibrate` or an experiment's completed runs.

    Args:
        results: the folder of all experiments.
        base: the configuration that would be trained.
        workers: processes of a trial.
        on_gpu: whether trials would use GPUs.
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
            kept = json.loads(line)
            speed = Speed(**kept["speed"]) if kept["like"] == wanted else None
        except (ValueError, TypeError, KeyError, RecursionError):
            continue  # a torn line, or one of another version
        if speed is not None and _is_sound(speed):
            yield speed


def _is_sound(speed: Speed) -> bool:
    """Return whether a speed that was read has the right types and ranges."""
    amounts = (speed.evaluation_seconds, speed.test_seconds, speed.start_seconds, speed.time, speed.words_per_second)
    texts = isinstance(speed.device, str) and isinstance(speed.source, str)
    return texts and all(is_number(amount) and 0 <= amount < math.inf for amount in amounts) and amounts[-1] > 0


def _of_experiments(results: Path, wanted: Mapping[str, Any]) -> Iterator[Speed]:
    """Yield the mean speed of each experiment's completed runs that match `wanted`, one for each device."""
    for file in sorted(results.glob(f"*/{EXPERIMENT}")):
        try:
            there = ExperimentIdentity(file.parent)
            workers = int(there.space["resources"]["workers"])
            runs = _completed(file.parent / LOG, there.base, workers, wanted)
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


def _completed(log: Path, options: Mapping[str, Any], workers: int, wanted: Mapping[str, Any]) -> list[_TimedRun]:
    """Return the completed runs of a log that match `wanted`, without those that took the result of another trial."""
    parameters: dict[str | None, Mapping[str, Any]] = {}
    runs = []
    for event in read_events(log):
        if event.event == "asked":
            parameters[event.trial] = event.data.get("parameters", {})
        outcome = event.data.get("outcome")
        if event.event != "completed" or event.data.get("repeats") or not outcome or not outcome["seconds"]:
            continue
        if _like({**options, **parameters.get(event.trial, {})}, workers) == wanted:
            runs.append(_TimedRun(event.time, outcome["device"], outcome["words_seen"], outcome["seconds"]))
    return runs
