"""Heartbeats of a run: progress reports about once a second, their answers, and signals to the process."""

import math
import time

from transformers import TrainerControl

from sleep_tune.interrupts import PATIENCE_SECONDS, Interrupts, current
from sleep_tune.records import Decision, Report
from sleep_tune.training.checkpoint_saver import CheckpointClock
from sleep_tune.training.session import Session

__all__ = ["Heartbeat"]

HEARTBEAT_SECONDS = 1.0
"""Least time between two heartbeats, and about the time between two exchanges of several processes."""


class Heartbeat:
    """Reports progress at most once a second, and has the run stop, pause or save as the answer, a signal or time asks.

    Several processes must do all this after the same update. Agreeing costs an exchange between them, so they do it
    about once a second too, and each time the leading process decides after which update the next exchange comes.
    """

    def __init__(
        self, session: Session, report: Report, interrupts: Interrupts, clock: CheckpointClock, *, saves: bool
    ) -> None:
        """Begin an attempt.

        Args:
            session: the attempt.
            report: called with the progress, in the leading process.
            interrupts: holds the first signal that has come; the run saves and stops for it.
            clock: decides when a checkpoint is due by time.
            saves: whether the run saves a checkpoint on a signal, here or by the answer of `report`. The signal then
                waits for the end of an update, except the first, which may compile for minutes: nothing can be saved
                before its end.
        """
        self._session = session
        self._report = report
        self._interrupts = interrupts
        self._clock = clock
        self._saves = saves
        self._update_began = self._fastest_update = math.inf
        self._decision = Decision.CONTINUE
        self._error: Exception | None = None
        self._next_report = time.monotonic()
        self._last_exchange = (session.progress.updates, time.monotonic())
        self._next_exchange = session.progress.updates + 1

    def begin_update(self) -> None:
        """Record when an update begins."""
        self._update_began = time.monotonic()

    def report_if_due(self, control: TrainerControl) -> Decision:
        """Report progress if it is time, and return the answer once all processes have agreed on it.

        Args:
            control: asked to save if a checkpoint is due by time, and to save and stop if a signal has come.

        Raises:
            Exception: whatever `report` raised, as soon as the processes exchange.
        """
        self._let_signals_wait()
        progress, processes, latest = self._session.progress, self._session.processes, self._session.meter.latest
        if processes.is_leader and self._error is None and time.monotonic() >= self._next_report:
            try:
                answer = self._report(progress.snapshot(metrics={} if latest is None else {"loss": latest}))
                self._decision = answer if answer is not Decision.CONTINUE else self._decision
            except Exception as error:  # raised at the exchange: until then the other processes wait for this one
                self._error = error
            self._next_report = time.monotonic() + HEARTBEAT_SECONDS
        if progress.updates < self._next_exchange:
            return Decision.CONTINUE
        decision, self._interrupts.number, self._next_exchange, is_due = processes.run_on_leader(self._agree)
        interrupted = self._interrupts.number is not None and decision is Decision.CONTINUE
        control.should_save = control.should_save or is_due or interrupted
        control.should_training_stop = control.should_training_stop or interrupted
        return decision

    def _agree(self) -> tuple[Decision, int | None, int, bool]:
        """Return decision, signal, update of the next exchange, and whether a checkpoint is due, for all processes."""
        if self._error is not None:
            raise self._error
        return self._decision, self._interrupts.number, self._plan_exchange(), self._clock.due()

    def _let_signals_wait(self) -> None:
        """From the first update on, let a signal wait for the end of an update, which takes this much patience."""
        interrupts = current()
        if self._saves and interrupts.waits:
            self._fastest_update = min(self._fastest_update, time.monotonic() - self._update_began)
            interrupts.patience = max(PATIENCE_SECONDS, 3 * self._fastest_update)
        interrupts.waits = self._saves

    def _plan_exchange(self) -> int:
        """Return the update about a second from now, at the speed since the last exchange; alone, the next one."""
        updates, now = self._session.progress.updates, time.monotonic()
        (before, then), self._last_exchange = self._last_exchange, (updates, now)
        if self._session.processes.size == 1:
            return updates + 1
        return updates + max(1, int((updates - before) / max(now - then, 1e-9) * HEARTBEAT_SECONDS))
