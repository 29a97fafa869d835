"""Losses, sleep records and learning rates of a run, as lines of metrics.jsonl."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sleep_tune.sleep.stream import PHASES
from sleep_tune.training.learning_rates import PhaseRate
from sleep_tune.training.run_progress import Milestones
from sleep_tune.training.session import Session

__all__ = ["LossLog"]


class LossLog:
    """Logs mean losses at every `log_ratio` of the budget, and a record of each phase that has ended.

    The line of a phase, awake or asleep, has its mean learning rate; that of a sleep also says what was replayed.
    """

    def __init__(self, session: Session, log_ratio: float) -> None:
        """Begin at the run's present position.

        Args:
            session: the attempt.
            log_ratio: share of the budget between two lines, >= 0; at 0 there is one line, at the end.
        """
        self._session = session
        self._milestones = Milestones(session.progress, log_ratio)

    def write_if_due(self, scheduler: Any) -> None:
        """Write the phases that have ended, and losses if a milestone was passed.

        Only for losses does training wait for the device.

        Args:
            scheduler: torch's, for the learning rate.

        Raises:
            Diverged: the losses are not those of a model that learns.
        """
        self._write_phases(self._session.rates.take_ended())
        if self._milestones.passed():
            losses = self._write(scheduler)
            self._session.guard.check(losses, self._session.progress.words_seen)

    def finish(self, scheduler: Any) -> None:
        """Write the last records at the end of training: the last phase, and losses since the last line."""
        self._write_phases(self._session.rates.take_all())
        if self._session.meter.num_batches:
            self._write(scheduler)
        else:
            self._write_sleeps()

    def _write_phases(self, phases: Sequence[PhaseRate]) -> None:
        session = self._session
        if phases:
            session.require_current()
        for phase in phases:
            pass_index, fold = divmod(phase.cycle, session.feed.stream.folds)
            place = {"words_seen": phase.words_seen, "phase": PHASES[phase.phase], "cycle": phase.cycle}
            place |= {"pass_index": pass_index, "fold": fold, "batches": phase.batches}
            session.journal.write("phase", place | {"learning_rate": phase.mean})

    def _write_sleeps(self) -> None:
        session = self._session
        session.require_current()
        records = session.feed.stream.take_sleep_records()
        for record in records if session.processes.is_leader else ():
            texts = [{"text": session.text(example.sample)} | asdict(example) for example in record.examples]
            more = {"examples": texts, "corpus": session.source_shares}  # what the record's own sources compare with
            session.journal.write("sleep", asdict(record) | more)

    def _write(self, scheduler: Any) -> dict[str, float]:
        """Write the sleep phases that have ended, then the losses, which are returned."""
        self._write_sleeps()
        session = self._session
        losses = session.meter.take()
        line = session.progress.line() | losses | {"learning_rate": scheduler.get_last_lr()[0]}
        session.journal.write("train", line)
        return losses
