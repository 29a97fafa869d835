"""Short texts for trials and their figures, the same on the screen and in plain lines."""

import math
import os
from pathlib import Path

from sleep_tune.experiment.search_state import TrialState
from sleep_tune.records import Progress

__all__ = [
    "clock_time",
    "ending",
    "failure_reason",
    "fold_of_phase",
    "latest_loss",
    "objective_value",
    "runs_done",
    "share_seen",
    "short_path",
    "short_words",
    "trial_name",
    "trial_settings",
]


def runs_done(done: int, total: int | None, *, is_most: bool) -> str:
    """Return `3/10 runs done`, or `3 of at most 10 runs done` where looks may end the search earlier."""
    if total is None:
        return f"{done} runs done"
    return f"{done} of at most {total} runs done" if is_most else f"{done}/{total} runs done"


def trial_name(trial: TrialState) -> str:
    """Return `t0003`, or `t0003 try 2` after a restart."""
    return trial.id if trial.attempt <= 1 else f"{trial.id} try {trial.attempt}"


def trial_settings(trial: TrialState) -> str:
    """Return `folds 20, replay.ratio 0.31`: the settings without the first section; for a repeat also arm and seed.

    For a control: the run whose exposures it has.
    """
    if trial.matched is not None:
        return f"the exposures of {trial.matched} in random order"
    if not trial.parameters:
        return f"{trial.arm}, seed {trial.seed}"
    pairs = [(key.partition(".")[2] or key, value) for key, value in trial.parameters.items()]
    text = ", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in pairs)
    return text if trial.number is not None else f"{text}, seed {trial.seed}"


def fold_of_phase(progress: Progress | None) -> str:
    """Return `wake 3/10`: the phase, its fold and the folds of a pass; `wake 3` if their number is not known.

    Of a control without sleep phases its kind: `interleaved 3`, or `matched`, which has no folds.
    """
    if progress is None:
        return "starting"
    if progress.control:
        return "matched" if progress.control == "matched" else f"{progress.control} {progress.fold + 1}"
    of = f"/{progress.folds}" if progress.folds else ""
    return f"{progress.phase} {progress.fold + 1}{of}"


def share_seen(progress: Progress | None) -> str:
    """Return `41%`, the share of the budget seen; empty before the first report."""
    return "" if progress is None else f"{progress.words_seen / progress.budget_words:.0%}"


def latest_loss(progress: Progress | None) -> str:
    """Return the loss of the latest heartbeat; empty if there is none."""
    latest = None if progress is None else progress.metrics.get("loss")
    return "" if latest is None else f"{latest:.3f}"


def objective_value(value: float | None) -> str:
    """Return a value of the objective in at most seven characters; empty for None."""
    if value is None:
        return ""
    return f"{value:.4f}" if not math.isfinite(value) or abs(value) < 100 else f"{value:.2f}"


def ending(trial: TrialState, metric: str) -> str:
    """Return how a trial ended: its state, its value or the reason, and its duration."""
    if trial.state in ("failed", "refused"):
        more = f" (see {short_path(trial.log)})" if trial.log else ""
        return f"{trial.state} ({trial.kind}): {failure_reason(trial)}{more}"
    if trial.repeats:
        took = f", as {trial.repeats}"
    else:
        took = f" {'in' if trial.state == 'completed' else 'after'} {clock_time(trial.seconds)}"
    if trial.state == "completed":
        return f"completed: {metric} {objective_value(trial.value)}{took}"
    rung = max(trial.rungs, default=None)
    at = "" if rung is None else f" at {short_words(rung)} words: {metric} {objective_value(trial.rungs[rung])}"
    return f"stopped{at}{took}"


def failure_reason(trial: TrialState) -> str:
    """Return the first line of why a trial failed, was refused, was stopped after a pause, or waits."""
    return next(iter((trial.reason or "").strip().splitlines()), "no reason given")


def short_path(log: str) -> str:
    """Return a path relative to the working directory, if it lies below it."""
    here = os.path.relpath(log)
    return log if here.startswith("..") else str(Path(here))


def short_words(total: float) -> str:
    """Return `412k`, `1.2M`: a number of words in at most five characters."""
    if total < 10_000:
        return f"{total:.0f}"
    return f"{total / 1000:.0f}k" if total < 999_500 else f"{total / 1e6:.{1 if total < 1e8 else 0}f}M"


def clock_time(seconds: float) -> str:
    """Return `0:03:12`; from a hundred hours on in days, `5 d 3 h`."""
    minutes, rest = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours < 100 else f"{hours // 24} d {hours % 24} h"
