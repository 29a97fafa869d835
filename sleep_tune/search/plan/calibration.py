"""`--calibrate`: train for half a minute, as a trial would, to learn how fast this machine is.

Through the worker seam, in a temporary folder: two short runs of the study's base. The first trains as any trial and is
stopped after some seconds; the second has a budget of a few updates, so that what its end costs is measured too.
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
from sleep_tune.search.decide.work import Worker
from sleep_tune.search.plan.speeds import Speed
from sleep_tune.search.space.search_space import CorpusSummary
from sleep_tune.search.space.trial_configs import baseline_settings, with_settings

__all__ = ["SECONDS", "calibrate"]

SECONDS = 30.0
"""How long the first run trains, from its first sign of life."""

WARM_UP = 1 / 3
"""Share of that time that is not counted: caches fill, and a graph may be compiled."""

FEW = 4
"""Updates of the second run, about."""


def calibrate(
    base: RunConfig, corpus: CorpusSummary, worker: Worker, *, threads: int, seconds: float = SECONDS
) -> Speed:
    """Measure words per second, and the seconds of an evaluation, of a test and of a start.

    Args:
        base: what every trial starts from.
        corpus: what it reads.
        worker: trains.
        threads: CPUs that a worker of a trial would have.
        seconds: of training, at least; less where the budget is spent sooner.

    Raises:
        TrialFailure: the base cannot be trained.
        UserError: as `worker`.
    """
    with tempfile.TemporaryDirectory(prefix="sleep-tune-calibrate-") as folder:
        quiet = {"training.save_model": False, "training.checkpoint_ratio": 0.0, "training.word_checkpoints": False}
        settings: dict[str, Any] = {key: value for key, value in quiet.items() if key in options()}
        if base.training.threads is None:
            settings["training.threads"] = threads
        tree = with_settings(to_dict(base), settings)
        long = {"run.dir": str(Path(folder) / "long"), "evaluation.rungs": ()}
        watch = _Watch(seconds)
        outcome = worker(from_dict(with_settings(tree, long)), watch)
        rate = watch.rate() or outcome.words_seen / max(outcome.seconds, 1e-9)

        few = max(1, FEW * base.training.batch_size * corpus.words // corpus.samples)
        short = {"run.dir": str(Path(folder) / "short"), "budget.words": few}
        ends = {"evaluation.rungs": (0.5,), "evaluation.test": True}
        tree = with_settings(tree, dict(baseline_settings("epochs")) | {"sleep.folds": 1} | short | ends)
        return _with_ends(rate, *_timed(worker, from_dict(tree)))


@dataclass
class _Watch:
    """Notes where a run stands, and stops it when it has been watched for long enough."""

    seconds: float
    beats: list[Progress] = field(default_factory=list)

    def __call__(self, progress: Progress) -> Decision:
        if progress.rung is None:
            self.beats.append(progress)
            if progress.seconds - self.beats[0].seconds >= self.seconds:
                return Decision.STOP
        return Decision.CONTINUE

    def rate(self) -> float | None:
        """Words per second after the warm-up; None where the run was too short to tell."""
        if len(self.beats) < 2:
            return None
        first, last = self.beats[0], self.beats[-1]
        warm = first.seconds + WARM_UP * (last.seconds - first.seconds)
        start = next(beat for beat in self.beats if beat.seconds >= warm or beat is self.beats[-2])
        took = last.seconds - start.seconds
        return (last.words_seen - start.words_seen) / took if took > 0 else None


def _timed(worker: Callable[..., Outcome], config: RunConfig) -> tuple[list[Progress], Outcome, float]:
    """The rungs of a run, its outcome, and its seconds on the wall."""
    rungs: list[Progress] = []

    def note(progress: Progress) -> Decision:
        if progress.rung is not None:
            rungs.append(progress)
        return Decision.CONTINUE

    began = time.monotonic()
    outcome = worker(config, note)
    return rungs, outcome, time.monotonic() - began


def _with_ends(rate: float, rungs: list[Progress], outcome: Outcome, wall: float) -> Speed:
    """What is left of the short run when its training is taken off."""
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
