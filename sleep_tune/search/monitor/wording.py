"""How trials and figures of a search are put into a few words, the same on the screen and in plain lines.

Knows one trial at a time, and no terminal.
"""

import math
import os
from pathlib import Path

from sleep_tune.experiment.search_state import TrialState
from sleep_tune.records import Progress

__all__ = ["count", "duration", "ending", "loss", "name", "number", "path", "percent", "phase", "reason", "settings"]
__all__ += ["words"]


def name(trial: TrialState) -> str:
    """`t0003`, or `t0003 try 2` once it has been started again."""
    return trial.id if trial.attempt <= 1 else f"{trial.id} try {trial.attempt}"


def settings(trial: TrialState) -> str:
    """`folds 20, replay.ratio 0.31`: what was proposed, without the section's name; a repeat's arm and seed."""
    if not trial.parameters:
        return f"{trial.arm}, seed {trial.seed}"
    pairs = [(key.partition(".")[2] or key, value) for key, value in trial.parameters.items()]
    text = ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in pairs)
    return text if trial.number is not None else f"{text}, seed {trial.seed}"


def phase(progress: Progress | None) -> str:
    """`wake 3/10`: the phase and its fold in the pass; the fold alone where the number of folds is not known."""
    if progress is None:
        return "starting"
    of = f"/{progress.folds}" if progress.folds else ""
    return f"{progress.phase} {progress.fold + 1}{of}"


def percent(progress: Progress | None) -> str:
    """`41%` of the budget; empty before the first report."""
    return "" if progress is None else f"{progress.words_seen / progress.budget_words:.0%}"


def loss(progress: Progress | None) -> str:
    """The latest loss of a heartbeat, or nothing."""
    latest = None if progress is None else progress.metrics.get("loss")
    return "" if latest is None else f"{latest:.3f}"


def number(value: float | None) -> str:
    """A value of the objective in at most seven characters; nothing for None."""
    if value is None:
        return ""
    return f"{value:.4f}" if not math.isfinite(value) or abs(value) < 100 else f"{value:.2f}"


def ending(trial: TrialState, metric: str) -> str:
    """How a trial ended: its state, value or reason, and in what time."""
    if trial.state in ("failed", "refused"):
        more = f" (see {path(trial.log)})" if trial.log else ""
        return f"{trial.state} ({trial.kind}): {reason(trial)}{more}"
    if trial.repeats:
        took = f", as {trial.repeats}"
    else:
        took = f" {'in' if trial.state == 'completed' else 'after'} {duration(trial.seconds)}"
    if trial.state == "completed":
        return f"completed: {metric} {number(trial.value)}{took}"
    rung = max(trial.rungs, default=None)
    at = "" if rung is None else f" at {words(rung)} words: {metric} {number(trial.rungs[rung])}"
    return f"stopped{at}{took}"


def reason(trial: TrialState) -> str:
    """The first line of why a trial failed or was refused."""
    return next(iter((trial.reason or "").strip().splitlines()), "no reason given")


def path(log: str) -> str:
    """A file as one would type it from here: below the working directory without what leads there."""
    here = os.path.relpath(log)
    return log if here.startswith("..") else str(Path(here))


def words(total: float) -> str:
    """`412k`, `1.2M`: a number of words in five characters."""
    if total < 10_000:
        return f"{total:.0f}"
    return f"{total / 1000:.0f}k" if total < 999_500 else f"{total / 1e6:.{1 if total < 1e8 else 0}f}M"


def duration(seconds: float) -> str:
    """`0:03:12`; from a hundred hours on in days, `5 d 3 h`."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours < 100 else f"{hours // 24} d {hours % 24} h"


def count(total: int, noun: str) -> str:
    """`1 trial`, `2 trials`."""
    return f"{total:,} {noun}{'s' * (total != 1)}"
