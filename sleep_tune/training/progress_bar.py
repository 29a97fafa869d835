"""The progress bar of a run by hand: pass, phase, words, loss, speed. Knows nothing but the course and the meter."""

import math
import sys
from typing import Any

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from sleep_tune.training.course import Course, Marks
from sleep_tune.training.meter import LossMeter

__all__ = ["ProgressBar"]

FORMAT = "{desc} · words {n:,}/{total:,} |{bar:20}| {rate_noinv_fmt} · {remaining} left"
LINE_RATIO = 0.1
"""Where there is no terminal: share of the budget between two lines."""


class ProgressBar(TrainerCallback):
    """A bar on a terminal, else a line at every tenth of the budget; on standard error."""

    def __init__(self, course: Course, meter: LossMeter) -> None:
        self._course = course
        self._meter = meter
        self._marks = Marks(course, LINE_RATIO)
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                initial=course.words_seen,
                total=course.budget_words,
                bar_format=FORMAT,
                unit=" words",
                unit_scale=True,
                mininterval=0.25,
                delay=1e-3,  # the first picture is that of the first update
                dynamic_ncols=True,
            )

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Move on."""
        if self._bar is not None:
            self._bar.set_description_str(self._place(), refresh=False)
            self._bar.update(self._course.words_seen - self._bar.n)
        elif self._marks.passed():
            words = f"words {self._course.words_seen:,}/{self._course.budget_words:,}"
            sys.stderr.write(f"{self._place()} · {words} · {self._course.seconds:.0f} s\n")

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Leave the bar as it stands."""
        self.close()

    def close(self) -> None:
        """Leave the bar as it stands, however the run ends."""
        if self._bar is not None:
            self._bar.close()

    def _place(self) -> str:
        """For example: pass 1/1 · wake 3/10 · loss 4.213."""
        stream, loss = self._course.feed.stream, self._meter.latest
        expected = stream.plan.passes
        passes = f"/{math.ceil(expected)}" if expected is not None else ""
        place = f"pass {stream.pass_index + 1}{passes} · {stream.phase} {stream.fold + 1}/{stream.folds}"
        return place if loss is None else f"{place} · loss {loss:.3f}"
