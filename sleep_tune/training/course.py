"""How far a run has come, as everyone outside is told: one place that turns the stream's counts into records.

Knows no trainer.
"""

import time
from collections.abc import Mapping
from typing import Any

from sleep_tune.records import Progress
from sleep_tune.training.feed import Feed

__all__ = ["Course", "Marks"]


class Course:
    """The run's counts and its clock.

    Attributes:
        feed: has the stream, which counts words and knows the phase.
        updates: optimizer steps so far, over all attempts.
    """

    def __init__(self, feed: Feed, *, seconds: float = 0.0, updates: int = 0) -> None:
        """Start the clock.

        Args:
            feed: stands where the run begins or goes on.
            seconds: spent by earlier attempts, as far as the checkpoint knows.
            updates: of earlier attempts.
        """
        self.feed = feed
        self.updates = updates
        self._started = time.monotonic() - seconds

    @property
    def words_seen(self) -> int:
        """Words so far."""
        return self.feed.stream.words_seen

    @property
    def budget_words(self) -> int:
        """Words in all."""
        return self.feed.stream.plan.budget_words

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation so far, over all attempts."""
        return time.monotonic() - self._started

    def progress(self, *, rung: int | None = None, metrics: Mapping[str, float] | None = None) -> Progress:
        """Where the run stands."""
        stream = self.feed.stream
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
        )

    def line(self) -> dict[str, Any]:
        """Where the run stands, for a line of the journal."""
        progress = self.progress().to_json()
        return {key: progress[key] for key in progress if key not in ("budget_words", "folds", "rung", "metrics")}


class Marks:
    """Tells when the words seen pass the next multiple of a share of the budget; needs no state to be resumed."""

    def __init__(self, course: Course, ratio: float) -> None:
        """Begin where the run stands.

        Args:
            course: has the words.
            ratio: the share, >= 0; 0 never passes.
        """
        self._course = course
        self._ratio = ratio
        self._count = self._passed()

    def passed(self) -> bool:
        """Whether a mark was passed since this was last asked."""
        before, self._count = self._count, self._passed()
        return self._count > before

    def _passed(self) -> int:
        return int(self._course.words_seen / (self._ratio * self._course.budget_words)) if self._ratio else 0
