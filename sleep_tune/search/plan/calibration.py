"""`--calibrate`: measure the speed of this machine by two short runs in a temporary folder.

The first run trains as a trial does and is stopped after some seconds. The second has a budget of a few updates, and
measures evaluations, start and end.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.search.decide.assignments import Worker
from sleep_tune.search.plan.speeds import Speed
from sleep_tune.search.space.search_space import CorpusSummary
from sleep_tune.search.space.trial_configs import baseline_settings, with_settings

__all__ = ["SECONDS", "calibrate"]

SECONDS = 30.0
"""Duration of the first run, from its first report."""

WARM_UP = 1 / 3
"""Share of that time that is not counted, since caches fill and a graph may be compiled."""

FEW = 4
"""Approximate number of updates of the second run."""


def calibrate(
    base: RunConfig, corpus: CorpusSummary, worker: Worker, *, threads: int, seconds: float = SECONDS
) -> Speed:
    """Return the measured speed of one trial.

    Args:
        base: the configuration that all trials share.
        corpus: the corpus that it reads.
        worker: trains a run.
        threads: CPUs of a worker of a trial.
        seconds: least duration of training; less if the budget is spent before.

    Raises:
        TrialFailure: the base cannot be trained.
        UserError: raised by `worker`.
    """
    with tempfile.TemporaryDirectory(prefix="sleep-tune-calibrate-") as folder:
        quiet = {"training.save_model": False, "training.checkpoint_ratio": 0.0, "training.word_checkpoints": False}
        settings: dict[str, Any] = {key: value for key, value in quiet.items() if key in options()}
        if base.training.threads is None:
            settings["training.threads"] = threads
        tree = with_settings(to_dict(base), settings)
        long = {"run.dir": str(Path(folder) / "long"), "evaluation.rungs": ()}
        watch = _Stopwatch(seconds)
        outcome = worker(from_dict(with_settings(tree, long)), watch)
        rate = watch.rate() or outcome.words_seen / max(outcome.seconds, 1e-9)

        few = max(1, FEW * base.training.batch_size * corpus.words // corpus.samples)
        short = {"run.dir": str(Path(folder) / "short"), "budget.words": few}
        ends = {"evaluation.rungs": (0.5,), "evaluation.test": True}
        tree = with_settings(tree, dict(baseline_settings("epochs")) | {"sleep.folds": 1} | short | ends)
        return _with_ends(rate, *_timed(worker, from_dict(tree)))


@dataclass
class _Stopwatch:
    """Records the heartbeats of a run, and stops it after `seconds`."""

    seconds: float
    beats: list[Progress] = field(default_factory=list)

    def __call__(self, progress: Progress) -> Decision:
        if progress.rung is None:
            self.beats.append(progress)
            if progress.seconds - self.beats[0].seconds >= self.seconds:
                return Decision.STOP
        return Decision.CONTINUE

    def rate(self) -> float | None:
        """Return the words per second after the warm-up; None if the run was too short."""
        if len(self.beats) < 2:
            return None
        first, last = self.beats[0], self.beats[-1]
        warm = first.seconds + WARM_UP * (last.seconds - first.seconds)
        start = next(beat for beat in self.beats if beat.seconds >= warm or beat is self.beats[-2])
        took = last.seconds - start.seconds
        return (last.words_seen - start.words_seen) / took if took > 0 else None


def _timed(worker: Callable[..., Outcome], config: RunConfig) -> tuple[list[Progress], Outcome, float]:
    """Return the rungs of a run, its outcome, and its wall-clock time in seconds."""
    rungs: list[Progress] = []

    def note(progress: Progress) -> Decision:
        if progress.rung is not None:
            rungs.append(progress)
        return Decision.CONTINUE

    began = time.monotonic()
    outcome = worker(config, note)
    return rungs, outcome, time.monotonic() - began


def _with_ends(rate: float, rungs: list[Progress], outcome: Outcome, wall: float) -> Speed:
    """Return the speed, with the times of evaluations, start and end from the short run."""
    before, end = rungs[0], rungs[-1]
    training = (end.words_seen - before.words_seen) / rate
    now = time.time()
    return Speed(
        words_per_second=rate,
        evaluation_seconds=max(0.0, end.seconds - before.seconds - training),
        test_seconds=max(0.0, outcome.seconds - end.seconds),
        start_seconds=max(0.0, wall - outcome.seconds),
        device=outcome.device,
        time=now,
        source=f"measured on this machine by --calibrate, {time.strftime('%Y-%m-%d %H:%M', time.localtime(now))}",
    )
