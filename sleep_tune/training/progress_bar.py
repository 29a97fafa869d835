"""Progress bar of a run that is started by hand: pass, phase, words, loss, speed."""

import math
import sys
import time
from typing import Any

from tqdm import tqdm

from sleep_tune.training.meter import LossMeter
from sleep_tune.training.run_progress import Milestones, RunProgress

__all__ = ["ProgressBar"]

FORMAT = "{desc} · words {n:,}/{total:,} |{bar:20}| {rate_noinv_fmt} · {remaining} left"
LINE_RATIO = 0.1
HEARTBEAT_SECONDS = 30.0
"""Where there is no terminal: share of the budget between two lines, and the longest time between them in seconds."""


class ProgressBar:
    """A bar on a terminal, else a line at every tenth of the budget and twice a minute, on standard error."""

    def __init__(self, progress: RunProgress, meter: LossMeter) -> None:
        self._progress = progress
        self._meter = meter
        self._milestones = Milestones(progress, LINE_RATIO)
        self._printed = time.monotonic()
        self._bar: tqdm[Any] | None = None
        if sys.stderr.isatty():
            self._bar = tqdm(
                initial=progress.words_seen,
                total=progress.budget_words,
                bar_format=FORMAT,
                unit=" words",
                unit_scale=True,
                mininterval=0.25,
                delay=1e-3,  # not drawn before the first update
                dynamic_ncols=True,
            )

    def update(self) -> None:
        """Show the progress after an update."""
        if self._bar is not None:
            self._bar.set_description_str(self._place(), refresh=False)
            self._bar.update(self._progress.words_seen - self._bar.n)
        elif self._milestones.passed() or time.monotonic() - self._printed >= HEARTBEAT_SECONDS:
            self._printed = time.monotonic()
            words = f"words {self._progress.words_seen:,}/{self._progress.budget_words:,}"
            sys.stderr.write(f"{self._place()} · {words} · {self._progress.seconds:.0f} s\n")

    def close(self) -> None:
        """Close the bar and leave it on the screen; may be called twice."""
        if self._bar is not None:
            self._bar.close()

    def _place(self) -> str:
        """Return, for example, 'pass 1/1 · wake 3/10 · loss 4.213'.

        A control without sleep phases has its name in place of the phase; one that is matched to another run has parts
        of as many samples as the corpus has, and no folds.
        """
        stream, loss = self._progress.stream, self._meter.latest
        plan = stream.plan
        passes = f"/{math.ceil(plan.passes)}" if plan.passes is not None else ""
        control = self._progress.control
        if control == "matched":
            place = f"part {stream.pass_index + 1}{passes} · matched"
        else:
            place = f"pass {stream.pass_index + 1}{passes} · {control or stream.phase} {stream.fold + 1}/{stream.folds}"
        return place if loss is None else f"{place} · loss {loss:.3f}"
