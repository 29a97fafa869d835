"""Progress of a run: words, updates and seconds so far, as records for reports and for metrics.jsonl."""

import time
from collections.abc import Mapping
from typing import Any

from sleep_tune.records import Progress
from sleep_tune.sleep.batch_stream import BatchStream

__all__ = ["Milestones", "RunProgress"]


class RunProgress:
    """The run's counts and its clock.

    Attributes:
        stream: counts words and tracks the phase.
        updates: optimizer steps so far, over all attempts; set after each update.
    """

    def __init__(self, stream: BatchStream, *, seconds: float = 0.0, updates: int = 0) -> None:
        """Start the clock.

        Args:
            stream: at the beginning, or restored from a checkpoint.
            seconds: spent until that checkpoint.
            updates: made until that checkpoint.
        """
        self.stream = stream
        self.updates = updates
        self._started = time.monotonic() - seconds

    @property
    def words_seen(self) -> int:
        """Words trained on so far, awake and asleep."""
        return self.stream.words_seen

    @property
    def budget_words(self) -> int:
        """Words that the run may train on in all."""
        return self.stream.plan.budget_words

    @property
    def control(self) -> str:
        """Kind of a control without sleep phases, as in `Progress`."""
        plan = self.stream.plan
        return "matched" if plan.matched else "interleaved" if plan.interleave else ""

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation so far, over all attempts."""
        return time.monotonic() - self._started

    def snapshot(self, *, rung: int | None = None, metrics: Mapping[str, float] | None = None) -> Progress:
        """Return the progress so far, with the metrics of a rung or a heartbeat if given."""
        stream = self.stream
        return Progress(
            words_seen=stream.words_seen,
            budget_words=self.budget_words,
            updates=self.updates,
            phase=stream.phase,
            cycle=stream.cycle,
            pass_index=stream.pass_index,
            fold=stream.fold,
            folds=stream.folds,
            read_ratio=stream.read_ratio,
            seconds=round(self.seconds, 3),
            rung=rung,
            metrics=metrics or {},
            control=self.control,
        )

    def line(self) -> dict[str, Any]:
        """Return the progress so far, as the first fields of a line in metrics.jsonl."""
        progress = self.snapshot().to_json()
        return {
            key: progress[key] for key in progress if key not in ("budget_words", "folds", "rung", "metrics", "control")
        }


class Milestones:
    """Multiples of a share of the budget; a resumed run passes the same ones without any saved state."""

    def __init__(self, progress: RunProgress, ratio: float) -> None:
        """Begin at the run's present position.

        Args:
            progress: counts the words.
            ratio: the share, >= 0; with 0 there are no milestones.
        """
        self._progress = progress
        self._ratio = ratio
        self._count = self._count_passed()

    def passed(self) -> bool:
        """Return whether a milestone was passed since the last call."""
        before, self._count = self._count, self._count_passed()
        return self._count > before

    def _count_passed(self) -> int:
        return int(self._progress.words_seen / (self._ratio * self._progress.budget_words)) if self._ratio else 0
