"""Saving of a run's checkpoints: when they are due, and how they are completed."""

import math
import time
from collections.abc import Callable
from pathlib import Path

from transformers import TrainerControl

from sleep_tune.interrupts import PATIENCE_SECONDS, current
from sleep_tune.training.attempts import is_writer, remove_older
from sleep_tune.training.checkpoint import complete_checkpoint
from sleep_tune.training.run_progress import Milestones
from sleep_tune.training.session import Session
from sleep_tune.training.weight_average import WeightAverage

__all__ = ["CheckpointClock", "CheckpointSaver"]

FIRST_RATIO = 0.01
"""Share of the budget at which a run has its first checkpoint, if not earlier."""
FIRST_SECONDS = 60.0
"""Time to an attempt's first checkpoint, so that a run whose attempts all end early still makes progress."""
SAVING_SHARE = 0.01
"""Largest share of a run's time that checkpoints by the clock may take."""


class CheckpointClock:
    """Clock that decides when a checkpoint is due; writing them takes at most `SAVING_SHARE` of the run's time.

    The results of a run do not depend on when its checkpoints are written.
    """

    def __init__(self, minutes: float | None, now: Callable[[], float] = time.monotonic) -> None:
        """Start the clock, as an attempt begins.

        Args:
            minutes: the longest time between two checkpoints, > 0; None: no checkpoint is due by time.
            now: returns the seconds of a clock that never goes back.
        """
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._wait = math.inf if minutes is None else min(FIRST_SECONDS, self._seconds)
        self._now = now
        self._since = self._begun = now()

    def due(self) -> bool:
        """Return whether enough time has passed since the last checkpoint, or since the attempt began."""
        return self._now() - self._since >= self._wait

    def begin(self) -> None:
        """Record that a checkpoint is about to be written."""
        self._begun = self._now()

    def end(self) -> None:
        """Record that it has been written; the longer that took, the longer the wait for the next one."""
        self._since = self._now()
        self._wait = max(self._seconds, (self._since - self._begun) / SAVING_SHARE)


class CheckpointSaver:
    """Requests a checkpoint at every `checkpoint_ratio` of the budget, and completes what the Trainer has written.

    A run without a checkpoint saves its first one at `FIRST_RATIO` of the budget.
    """

    def __init__(
        self, session: Session, checkpoint_ratio: float, clock: CheckpointClock, average: WeightAverage | None = None
    ) -> None:
        """Begin at the run's present position.

        Args:
            session: the attempt.
            checkpoint_ratio: share of the budget between two checkpoints, >= 0; 0 requests none.
            clock: measures how long saving takes.
            average: of the weights; None if the run has none.
        """
        self._session = session
        self._milestones = Milestones(session.progress, checkpoint_ratio)
        self._needs_first = bool(checkpoint_ratio) and session.checkpoint is None
        self._clock = clock
        self._average = average

    def request_if_due(self, control: TrainerControl) -> None:
        """Request a checkpoint if a milestone was passed, unless the run ends; prepare for one that was requested."""
        progress = self._session.progress
        first = self._needs_first and progress.words_seen >= FIRST_RATIO * progress.budget_words
        if (self._milestones.passed() or first) and not control.should_training_stop:
            control.should_save = True
        if control.should_save:
            current().patience = math.inf  # a signal waits until the checkpoint is complete
            self._clock.begin()
            self._session.require_current()

    def complete(self, updates: int) -> None:
        """Add our states to a checkpoint and mark it complete, once every process has written its part.

        Args:
            updates: optimizer steps before the checkpoint.

        Raises:
            Superseded: a later attempt has begun.
        """
        session = self._session
        session.require_current()
        session.feed.flush()
        state = session.state()
        session.processes.barrier()
        session.processes.run_on_leader(lambda: self._complete(session.attempt / f"checkpoint-{updates}", state))
        self._needs_first = False
        self._clock.end()
        current().patience = PATIENCE_SECONDS

    def _complete(self, folder: Path, state: dict[str, object]) -> None:
        session = self._session
        if self._average is not None:
            self._average.save(folder)
        complete_checkpoint(folder, session.feed.stream.state_dict(), state, bytes(session.journal.content))
        if session.mirror is not None:
            session.mirror.push(folder)
        if is_writer(session.attempt):  # else an attempt that resumed from an earlier checkpoint has taken over
            remove_older(folder)
