"""What happens after an update, in this order: losses to the journal, rungs, heartbeats, checkpoints to resume from.

Each is a callback of transformers' Trainer, cheap when nothing is due. None changes the model, its mode, the random
streams or the sleep stream. They know no dropout, no masks and no schedule.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sleep_tune.errors import Diverged
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.evaluation.score_files import ITEMS
from sleep_tune.interrupts import PATIENCE_SECONDS, Interrupts, current
from sleep_tune.records import Decision, Report
from sleep_tune.training.checkpoint import complete, is_writer, remove_older
from sleep_tune.training.course import Marks
from sleep_tune.training.session import Session

__all__ = ["CheckpointClock", "Evaluate", "Examiner", "Heartbeat", "LossLines", "Rungs", "Saver", "Updates"]

Evaluate = Callable[[PreTrainedModel, str], dict[str, float]]
"""Model, split ('dev' or 'test') -> metrics."""

HEARTBEAT_SECONDS = 1.0
"""Time between two heartbeats, at least."""

FIRST_RATIO = 0.01
"""The share of the budget at which a run has its first checkpoint, if not earlier."""
FIRST_SECONDS = 60.0
"""Time to an attempt's first checkpoint, so that a run whose attempts all end early still gets on."""
SAVING_SHARE = 0.01
"""The share of a run's time that checkpoints by the clock may take."""


class Updates(TrainerCallback):
    """Counts updates; must come first."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Take the Trainer's count."""
        self._session.course.updates = state.global_step


class LossLines(TrainerCallback):
    """Writes mean losses at every `log_ratio` of the budget, and what each finished sleep replayed."""

    def __init__(self, session: Session, log_ratio: float) -> None:
        self._session = session
        self._marks = Marks(session.course, log_ratio)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Write if a mark was passed. The one place that waits for the device to learn the loss."""
        if self._marks.passed():
            losses = self._write(kwargs["lr_scheduler"].get_last_lr()[0])
            self._session.guard.watch(losses, self._session.course.words_seen)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Write what is left: the last sleep ends with the run, after its last batch."""
        if self._session.meter.num_batches:
            self._write(kwargs["lr_scheduler"].get_last_lr()[0])
        else:
            self._write_sleeps()

    def _write_sleeps(self) -> None:
        """Write a line for each sleep that has ended."""
        session = self._session
        session.require_current()
        sleeps = session.feed.stream.take_sleep_records()
        for record in sleeps if session.peers.leads else ():
            texts = [{"text": session.text(example.sample)} | asdict(example) for example in record.examples]
            session.journal.write("sleep", asdict(record) | {"examples": texts})

    def _write(self, learning_rate: float) -> dict[str, float]:
        """Write a line of losses; raise Diverged if they are not those of a model that learns."""
        self._write_sleeps()
        session = self._session
        losses = session.meter.take()
        session.journal.write("train", session.course.line() | losses | {"learning_rate": learning_rate})
        return losses


class Examiner:
    """Evaluates and puts the values on record. A loss that is not a number means that the run has diverged."""

    def __init__(self, session: Session, evaluate: Evaluate) -> None:
        self._session = session
        self._evaluate = evaluate

    def __call__(self, model: PreTrainedModel, split: str, rung: int) -> dict[str, float]:
        """Evaluate on a split.

        Args:
            model: left undisturbed.
            split: 'dev' or 'test'.
            rung: nominal words.

        Raises:
            Diverged: the loss on the split is NaN or infinite.
        """
        begun = time.monotonic()
        with current().waiting(False):  # a checkpoint would skip this rung's evaluation
            metrics = self._evaluate(model, split)
        took = round(time.monotonic() - begun, 3)
        self._session.require_current()
        line = self._session.course.line() | {"split": split, "rung": rung, "took": took, "metrics": metrics}
        self._session.journal.write("eval", line)
        for name, value in metrics.items():
            if name.endswith("/nll") and not math.isfinite(value):
                raise Diverged(f"{name} must stay finite; it became {value}: lower training.learning_rate")
        return metrics

    def keep_answers(self) -> None:
        """Write what the model answered to each item to eval/items.parquet, if it was asked any."""
        if self._session.peers.leads and isinstance(self._evaluate, Evaluator):
            self._evaluate.write_answers(self._session.run / "eval" / ITEMS)


class Rungs(TrainerCallback):
    """Evaluates after the first update at or past each rung, reports, and stops or pauses the run if told so.

    Attributes:
        told: what the run was told last, here or in answer to a heartbeat. Once it is not to go on, it does not.
    """

    def __init__(self, session: Session, examine: Examiner, report: Report, shares: tuple[float, ...]) -> None:
        self.told = Decision.CONTINUE
        self._session = session
        self._examine = examine
        self._report = report
        course = session.course
        rungs = sorted({round(share * course.budget_words) for share in shares})
        self._ahead = [rung for rung in rungs if rung > course.words_seen]

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report the rungs that were passed, the lowest first; all of them, as a paused run goes on after them."""
        while self._ahead and self._ahead[0] <= self._session.course.words_seen and self.told is not Decision.STOP:
            rung = self._ahead.pop(0)
            self.heed(self._decide(rung, self._examine(kwargs["model"], "dev", rung)), control)

    def heed(self, decision: Decision, control: TrainerControl) -> None:
        """Do what the run is told: stop, or save and end."""
        if decision is not Decision.CONTINUE and self.told is not Decision.STOP:
            self.told = decision
        control.should_save = control.should_save or self.told is Decision.PAUSE
        control.should_training_stop = control.should_training_stop or self.told is not Decision.CONTINUE

    def _decide(self, rung: int, metrics: dict[str, float]) -> Decision:
        """Report a rung from the leading process and tell every process the answer."""
        progress, peers = self._session.course.progress(rung=rung, metrics=metrics), self._session.peers
        return peers.lead(lambda: self._report(progress))


class CheckpointClock:
    """Says when a checkpoint is due by time, so seldom that writing them takes at most `SAVING_SHARE` of the time.

    A run is the same whenever its checkpoints are written, so time decides nothing else.
    """

    def __init__(self, minutes: float | None, now: Callable[[], float] = time.monotonic) -> None:
        """Start the clock, as an attempt begins.

        Args:
            minutes: between two checkpoints, at most; None: time asks for none.
            now: seconds of a clock that never goes back.
        """
        self._seconds = math.inf if minutes is None else 60 * minutes
        self._wait = math.inf if minutes is None else min(FIRST_SECONDS, self._seconds)
        self._now = now
        self._since = self._begun = now()

    def due(self) -> bool:
        """Whether the last checkpoint, or else the attempt's beginning, is long enough ago."""
        return self._now() - self._since >= self._wait

    def begin(self) -> None:
        """Note that a checkpoint is about to be written."""
        self._begun = self._now()

    def end(self) -> None:
        """Note that it has been written, and wait the longer for the next, the longer that took."""
        self._since = self._now()
        self._wait = max(self._seconds, (self._since - self._begun) / SAVING_SHARE)


class Heartbeat(TrainerCallback):
    """Says where the run stands, at most once a second, and passes on what it is told or asked in answer.

    It asks for a checkpoint when the clock does. Several processes agree on all this about once a second too, as
    agreeing costs an exchange: when, the leading one tells.

    Args:
        session: of the attempt.
        report: told of progress.
        rungs: keep what the run is told.
        interrupts: signals to save and stop for.
        clock: says when a checkpoint is due.
        saves: whether a signal makes the run save, here or by what `report` answers; it then waits for the next update,
            once there has been a first: that one compiles for minutes, and leaves nothing to save where it ends early.
    """

    def __init__(
        self,
        session: Session,
        report: Report,
        rungs: Rungs,
        interrupts: Interrupts,
        clock: CheckpointClock,
        *,
        saves: bool,
    ) -> None:
        self._session = session
        self._report = report
        self._rungs = rungs
        self._interrupts = interrupts
        self._clock = clock
        self._saves = saves
        self._began = self._fastest = math.inf
        self._told = Decision.CONTINUE
        self._error: Exception | None = None
        self._next = time.monotonic()
        self._met = (session.course.updates, time.monotonic())
        self._meeting = session.course.updates + 1

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Note when the update begins."""
        self._began = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Report if it is time; stop or pause if told, save and stop if interrupted."""
        self._have_signals_wait()
        peers, latest = self._session.peers, self._session.meter.latest
        if peers.leads and self._error is None and time.monotonic() >= self._next:
            progress = self._session.course.progress(metrics={} if latest is None else {"loss": latest})
            try:
                decision = self._report(progress)
                self._told = decision if decision is not Decision.CONTINUE else self._told
            except Exception as error:  # raised when all processes meet: one that left alone would be waited for
                self._error = error
            self._next = time.monotonic() + HEARTBEAT_SECONDS
        if self._session.course.updates < self._meeting:
            return
        told, self._interrupts.number, self._meeting, save = peers.lead(self._agree)
        control.should_save = control.should_save or save
        self._rungs.heed(told, control)
        if self._interrupts.number is not None and told is Decision.CONTINUE:
            control.should_save = control.should_training_stop = True

    def _agree(self) -> tuple[Decision, int | None, int, bool]:
        """Return what every process is to do, or raise what `report` raised."""
        if self._error is not None:
            raise self._error
        return self._told, self._interrupts.number, self._next_meeting(), self._clock.due()

    def _have_signals_wait(self) -> None:
        """From now on a signal waits for the end of an update, for as long as updates take, and some more."""
        interrupts = current()
        if self._saves and interrupts.waits:
            self._fastest = min(self._fastest, time.monotonic() - self._began)
            interrupts.patience = max(PATIENCE_SECONDS, 3 * self._fastest)
        interrupts.waits = self._saves

    def _next_meeting(self) -> int:
        """The update that comes about a second after this one, at the speed since the last meeting; alone, the next."""
        updates, now = self._session.course.updates, time.monotonic()
        (before, then), self._met = self._met, (updates, now)
        if self._session.peers.size == 1:
            return updates + 1
        return updates + max(1, int((updates - before) / max(now - then, 1e-9) * HEARTBEAT_SECONDS))


class Saver(TrainerCallback):
    """Asks for a checkpoint at every `checkpoint_ratio` of the budget, and completes what the Trainer has written.

    A run that has none gets its first at `FIRST_RATIO` of the budget already.
    """

    def __init__(self, session: Session, checkpoint_ratio: float, clock: CheckpointClock) -> None:
        self._session = session
        self._marks = Marks(session.course, checkpoint_ratio)
        self._first = bool(checkpoint_ratio) and session.checkpoint is None
        self._clock = clock

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Ask for a checkpoint if a mark was passed, unless the run is over."""
        early = self._first and self._session.course.words_seen >= FIRST_RATIO * self._session.course.budget_words
        if (self._marks.passed() or early) and not control.should_training_stop:
            control.should_save = True
        if control.should_save:
            current().patience = math.inf  # a signal waits for the checkpoint
            self._clock.begin()
            self._session.require_current()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Add our states and mark the checkpoint complete, once every process has written its part."""
        session = self._session
        session.require_current()
        session.feed.flush()
        ours = session.state()
        session.peers.wait()
        session.peers.lead(lambda: self._complete(session.attempt / f"checkpoint-{state.global_step}", ours))
        self._first = False
        self._clock.end()
        current().patience = PATIENCE_SECONDS

    def _complete(self, folder: Path, ours: dict[str, object]) -> None:
        session = self._session
        complete(folder, session.feed.stream.state_dict(), ours, bytes(session.journal.content))
        if session.mirror is not None:
            session.mirror.push(folder)
        if is_writer(session.attempt):  # else one that goes on from the checkpoint before has taken over by now
            remove_older(folder)
