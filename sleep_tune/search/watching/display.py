"""What a search says while it runs: a live table in a terminal, one plain line per event anywhere else.

Looks at a director and changes nothing; `refresh` may be called as often as one likes.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sleep_tune.records import Decision, Progress
from sleep_tune.search.state import TrialState
from sleep_tune.search.watching.forecast import Watched, forecast, work_done

__all__ = ["Display"]

REDRAW_SECONDS = 0.5
"""A live table is drawn anew no more often."""

HEARTBEAT_SECONDS = 30.0
"""Without any event a plain display says this often that the search is alive."""

WARM_UP_SECONDS = 10.0
"""No time left is guessed before."""

BAR = 12
WITH_BAR = 96
"""Columns of a terminal from which on a running trial has a bar."""

RECENT = 5
FAILURES = 4


class Display:
    """Shows a director's trials; a context manager.

    Args:
        director: what is looked at.
        slots: trials that can run at a time.
        console: where to write (default: standard output).
        interactive: a live table, or plain lines; by default a table where the console is a terminal.
        clock: seconds, for pacing and speed; never goes back.
    """

    def __init__(
        self,
        director: Watched,
        slots: int,
        console: Console | None = None,
        interactive: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._director = director
        self._slots = slots
        self._console = console if console is not None else Console(file=sys.stdout)
        self._clock = clock
        self._began = clock()
        self._work_before = work_done(director.trials.values())
        self._is_working = False
        self._live: Live | None = None
        if self._console.is_terminal if interactive is None else interactive:
            # What libraries print is sent to a file; by default rich would bring it back onto this console.
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._drawn = -math.inf
        self._spoke = self._began
        self._told = {name: _Told(trial) for name, trial in director.trials.items()}

    def __enter__(self) -> "Display":
        if self._live is not None:
            self._live.start()
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drawn = -math.inf
        self.refresh()
        if self._live is not None:
            self._live.stop()

    def refresh(self) -> None:
        """Show what has changed; returns at once where nothing is due."""
        now = self._clock()
        if not self._is_working and (work := work_done(self._director.trials.values())) > self._work_before:
            # Speed is that of training: workers' start is not counted.
            self._is_working, self._began, self._work_before = True, now, work
        if self._live is None:
            self._speak(now)
        elif now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._live.update(self.table(), refresh=True)

    def table(self) -> RenderableType:
        """The live table as it stands now."""
        trials = list(self._director.trials.values())
        running = [trial for trial in trials if trial.state == "running"]
        ended = sorted((trial for trial in trials if trial.ended), key=lambda trial: trial.ended_at or 0.0)
        failed = [trial for trial in ended if trial.state == "failed"]
        parts: list[RenderableType] = [Text(self._headline(), style="bold"), Text(self._best_line()), Text()]
        parts.append(_running_table(running, self._metric, self._console.width >= WITH_BAR))
        recent = [trial for trial in ended if trial.state in ("completed", "stopped")][-RECENT:]
        if recent:
            parts += [Text(), Text("ended", style="bold")]
            parts += [_line(f"  {trial.id:<14} {_end(trial, self._metric)}") for trial in reversed(recent)]
        if failed:
            earlier = f" (the last {FAILURES} of {len(failed)})" if len(failed) > FAILURES else ""
            parts += [Text(), Text(f"failed{earlier}", style="bold red")]
            parts += [_line(f"  {trial.id:<14} {_reason(trial)}") for trial in reversed(failed[-FAILURES:])]
        return Group(*parts)

    @property
    def _metric(self) -> str:
        return self._director.space.objective.metric

    def _headline(self) -> str:
        """Experiment, slots, trials, time."""
        busy = sum(trial.state == "running" for trial in self._director.trials.values())
        slots = f"{busy}/{self._slots} slots busy"
        return " · ".join([self._director.space.name, slots, self._trials_text(), *self._times()])

    def _trials_text(self) -> str:
        """`7/23 trials`, or `7 trials` where the total is not known."""
        state = forecast(self._director)
        return f"{state.done} trials done" if state.total is None else f"{state.done}/{state.total} trials"

    def _times(self) -> Iterator[str]:
        """Time gone, and about how much is left once the speed is known."""
        yield f"{_duration(self._director.seconds())} elapsed"
        elapsed, state = self._clock() - self._began, forecast(self._director)
        work = work_done(self._director.trials.values()) - self._work_before
        if state.work_left and work > 0 and elapsed >= WARM_UP_SECONDS:
            yield f"about {_duration(state.work_left * elapsed / work)} left"

    def _best_line(self) -> str:
        """The best trial of the search so far and its settings."""
        best = self._director.best()
        if best is None or best.value is None:
            return "best: none has completed yet"
        return f"best {best.id}: {self._metric} {best.value:.4f} · {_settings(best)}"

    def _speak(self, now: float) -> None:
        """Say in plain lines what has happened since the last time, or that the search is alive."""
        lines = []
        for name, trial in list(self._director.trials.items()):
            told = self._told.setdefault(name, _Told(None))
            lines += [f"{name} {text}" for text in told.news(trial, self._metric)]
        if not lines and now - self._spoke >= HEARTBEAT_SECONDS:
            lines = [self._heartbeat()]
        for line in lines:
            self._spoke = now
            self._console.out(f"[{_duration(self._director.seconds())}] {line}", highlight=False)

    def _heartbeat(self) -> str:
        """One line that says where everything stands."""
        running = [trial for trial in self._director.trials.values() if trial.state == "running"]
        at = [f"{trial.id} {_phase(trial.progress)} {_percent(trial.progress)}" for trial in running]
        return " · ".join([self._trials_text(), *list(self._times())[1:], ", ".join(at) or "nothing is running"])


class _Told:
    """What has been said of one trial in plain lines."""

    def __init__(self, trial: TrialState | None) -> None:
        self.is_known = trial is not None
        self.attempt = trial.attempt if trial is not None else 0
        self.rungs = set(trial.rungs) if trial is not None else set()
        self.has_ended = trial is not None and trial.ended

    def news(self, trial: TrialState, metric: str) -> Iterator[str]:
        """What has not been said yet, without the trial's name."""
        if not self.is_known:
            self.is_known = True
            yield f"asked: {_settings(trial)}"
        if trial.attempt > self.attempt:
            self.attempt = trial.attempt
            yield "started" if trial.attempt == 1 else f"started again (attempt {trial.attempt})"
        for rung, value in trial.rungs.items():
            if rung in self.rungs or (rung not in trial.decisions and not trial.ended):
                continue
            self.rungs.add(rung)
            if rung in trial.decisions:
                verb = "goes on" if trial.decisions[rung] is Decision.CONTINUE else "is stopped"
                yield f"at {rung:,} words: {metric} {value:.4f}, {verb}"
        if trial.ended and not self.has_ended:
            self.has_ended = True
            yield f"stopped after {_duration(trial.seconds)}" if trial.state == "stopped" else _end(trial, metric)


def _running_table(trials: list[TrialState], metric: str, with_bar: bool) -> RenderableType:
    """Running trials: who, where in the corpus, how far, how good."""
    if not trials:
        return Text("nothing is running")
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for heading in ("trial", "role", "phase", "pass", "words seen", "loss", f"{metric} at rung"):
        is_number = heading in ("pass", "words seen", "loss")
        table.add_column(heading, justify="right" if is_number else "left", no_wrap=True)
    if with_bar:
        table.add_column("", width=BAR)
    for trial in trials:
        cells = list(_running_row(trial))
        table.add_row(*(cells if with_bar else cells[:-1]))
    return table


def _running_row(trial: TrialState) -> Iterator[RenderableType]:
    """The cells of one running trial, its bar last."""
    progress = trial.progress
    yield trial.id if trial.attempt <= 1 else f"{trial.id} (attempt {trial.attempt})"
    yield trial.role
    yield _phase(progress)
    if progress is None:
        yield from ("", "", "", "", "")
        return
    yield str(progress.pass_index + 1)
    yield f"{_words(progress.words_seen)}/{_words(progress.budget_words)}"
    loss = progress.metrics.get("loss")
    yield "" if loss is None else f"{loss:.3f}"
    rung = max(trial.rungs, default=None)
    yield "" if rung is None else f"{trial.rungs[rung]:.4f} at {rung / progress.budget_words:.0%}"
    yield ProgressBar(total=progress.budget_words, completed=progress.words_seen, width=BAR)


def _phase(progress: Progress | None) -> str:
    """`wake 3/10`: the phase and its fold in the pass."""
    return "starting" if progress is None else f"{progress.phase} {progress.fold + 1}/{progress.folds}"


def _percent(progress: Progress | None) -> str:
    return "" if progress is None else f"{progress.words_seen / progress.budget_words:.0%}"


def _end(trial: TrialState, metric: str) -> str:
    """How a trial ended, in a few words."""
    if trial.state in ("failed", "refused"):
        return f"{trial.state} {_reason(trial)}"
    if trial.state == "completed":
        value = "" if trial.value is None else f": {metric} {trial.value:.4f}"
        return f"completed{value}" + (f", as {trial.repeats}" if trial.repeats else f" in {_duration(trial.seconds)}")
    rung = max(trial.rungs, default=None)
    at = "" if rung is None else f" at {rung:,} words: {metric} {trial.rungs[rung]:.4f}"
    return f"stopped{at} after {_duration(trial.seconds)}"


def _reason(trial: TrialState) -> str:
    """Kind, reason's first line, and where more is said."""
    lines = (trial.reason or "").strip().splitlines() or ["no reason given"]
    more = f" (see {trial.log})" if trial.log else ""
    return f"({trial.kind}): {lines[0]}{more}"


def _settings(trial: TrialState) -> str:
    """`folds 20, replay.ratio 0.31`: what was proposed, without the section's name."""
    if not trial.parameters:
        return f"{trial.arm}, seed {trial.seed}"
    pairs = [(key.partition(".")[2] or key, value) for key, value in trial.parameters.items()]
    text = ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in pairs)
    return text if trial.number is not None else f"{text}, seed {trial.seed}"


def _line(text: str) -> Text:
    """One line, cut where the terminal ends."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def _words(number: int) -> str:
    """`412k`, `1.2M`: a count of words in five characters."""
    if number < 10_000:
        return str(number)
    return f"{number / 1000:.0f}k" if number < 1_000_000 else f"{number / 1e6:.{1 if number < 1e8 else 0}f}M"


def _duration(seconds: float) -> str:
    """`0:03:12`."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
