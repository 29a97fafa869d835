"""Everything that happens after an update of a run, in one visible order."""

from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sleep_tune.records import Decision
from sleep_tune.training.checkpoint_saver import CheckpointSaver
from sleep_tune.training.compilation import Compilation
from sleep_tune.training.heartbeat import Heartbeat
from sleep_tune.training.loss_log import LossLog
from sleep_tune.training.progress_bar import ProgressBar
from sleep_tune.training.rung_evaluation import Rungs
from sleep_tune.training.session import Session
from sleep_tune.training.weight_average import WeightAverage
from sleep_tune.training.word_checkpoints import WordCheckpoints

__all__ = ["AfterUpdate"]


class AfterUpdate(TrainerCallback):
    """The one callback of a run; `on_step_end` shows what happens after each update.

    Every step costs little when nothing is due. None changes the model, its mode, the random streams or the sleep
    stream.

    Attributes:
        decision: the last answer to a report. A run that is to stop stays so, whatever comes later.
    """

    def __init__(
        self,
        session: Session,
        *,
        losses: LossLog,
        word_checkpoints: WordCheckpoints,
        rungs: Rungs,
        heartbeat: Heartbeat,
        saver: CheckpointSaver,
        average: WeightAverage | None,
        bar: ProgressBar | None,
        compilation: Compilation | None = None,
    ) -> None:
        self.decision = Decision.CONTINUE
        self._session = session
        self._losses = losses
        self._word_checkpoints = word_checkpoints
        self._rungs = rungs
        self._heartbeat = heartbeat
        self._saver = saver
        self._average = average
        self._bar = bar
        self._compilation = compilation

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Start to measure how long an update takes, and say if it compiles."""
        self._heartbeat.begin_update()
        if self._compilation is not None:
            self._compilation.begin_update()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Count, log, evaluate, report, save and show after an update. The order matters, for the reasons given."""
        model, scheduler = kwargs["model"], kwargs["lr_scheduler"]
        if self._compilation is not None:
            self._compilation.end_update()
        # All steps below log or report the number of updates.
        self._session.progress.updates = state.global_step
        # Rungs evaluate the average, and checkpoints hold it.
        if self._average is not None:
            self._average.update(state.global_step)
        # A diverged run ends here, before it is evaluated or saved.
        self._losses.write_if_due(scheduler)
        # A rung may stop the run; the models that are due by now are saved all the same.
        self._word_checkpoints.save_due(model)
        # All rungs that were passed are reported, since a paused run resumes after them.
        for decision in self._rungs.report_due(model):
            self._apply(decision, control)
        # May stop, pause or save the run too: by the answer to a heartbeat, by a signal, or by time.
        self._apply(self._heartbeat.report_if_due(control), control)
        # Comes after every step that may ask for a checkpoint or end the run.
        self._saver.request_if_due(control)
        if self._bar is not None:
            self._bar.update()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Add our files to a checkpoint that the Trainer has written, and mark it complete."""
        self._saver.complete(state.global_step)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Log the last lines after the last update, and close the progress bar."""
        self._losses.finish(kwargs["lr_scheduler"])
        if self._bar is not None:
            self._bar.close()

    def _apply(self, decision: Decision, control: TrainerControl) -> None:
        """Have the Trainer stop, or save a checkpoint and stop. A pause does not replace a stop."""
        if decision is not Decision.CONTINUE and self.decision is not Decision.STOP:
            self.decision = decision
        control.should_save = control.should_save or self.decision is Decision.PAUSE
        control.should_training_stop = control.should_training_stop or self.decision is not Decision.CONTINUE
