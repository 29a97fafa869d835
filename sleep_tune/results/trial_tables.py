"""The event log of a search as tidy pandas tables: a row per trial, and a row per trial, rung and metric.

A search that is still running, was killed, or has failed trials gives a partial table.
"""

import math
from pathlib import Path
from typing import Any

import pandas as pd

from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.search_state import SearchState, TrialState, fold_events
from sleep_tune.plain_text import visible

__all__ = ["HEAD", "metric_columns", "parameter_columns", "read_curves", "read_trials", "tabulate_curves"]
__all__ += ["repeated_runs", "tabulate_trials"]

HEAD = (
    "trial",
    "role",
    "arm",
    "study",
    "group",
    "seed",
    "state",
    "attempt",
    "words_seen",
    "budget_words",
    "updates",
    "seconds",
    "flops",
    "device",
    "gpus",
    "repeats",
    "source",
    "matched",
    "earlier",
    "kind",
    "reason",
    "not_finite",
    "asked",
    "ended",
)
"""Columns that every table of trials has, in this order; parameters and metrics follow."""

TEXT = (
    "trial",
    "role",
    "arm",
    "study",
    "group",
    "state",
    "device",
    "repeats",
    "source",
    "matched",
    "kind",
    "reason",
    "not_finite",
)
WHOLE = ("seed", "attempt", "words_seen", "budget_words", "updates")

REPEATED = ("baseline", "arm", "finalist")
"""Roles of runs over fresh seeds."""

CURVE = ("trial", "role", "arm", "seed", "attempt", "rung", "words_seen", "phase", "cycle", "read_ratio", "seconds")


def read_trials(folder: Path) -> pd.DataFrame:
    """Return the table of trials (`tabulate_trials`) of the experiment in `folder`.

    Raises:
        RunFolderError: the folder has no event log, or one with a line that is not as it was written.
    """
    return tabulate_trials(fold_events(read_events(folder / LOG)))


def read_curves(folder: Path) -> pd.DataFrame:
    """Return the table of curves (`tabulate_curves`) of the experiment in `folder`.

    Raises:
        RunFolderError: the folder has no event log, or one with a line that is not as it was written.
    """
    return tabulate_curves(fold_events(read_events(folder / LOG)))


def tabulate_trials(search: SearchState) -> pd.DataFrame:
    """Return one row per trial, in the order in which they were asked for.

    Columns: those of `HEAD`; the trial's parameters under their dotted keys (`sleep.folds`); the last values of its
    metrics (`eval/nll`, `test/nll`, ...). A value that is not known yet is missing.

    - `state`: waiting, running, paused (at a rung), stopped, completed, failed, refused, or interrupted (unfinished
      when the search closed)
    - `study`: empty for runs repeated over seeds
    - `source`: folder of the earlier experiment that a warm start took the trial from
    - `matched`: of a control, the run whose exposures it has
    - `earlier`: whether it is a run over fresh seeds under settings that its arm has no more
    - `not_finite`: the metrics whose last value is not a finite number, separated by commas
    - `asked`, `ended`: seconds since 1970
    - `seconds`: the most that any attempt reported; 0 for a trial that took another's result

    Values are those of the last attempt.
    """
    trials = search.trials.values()
    parameters = list(dict.fromkeys(key for trial in trials for key in trial.parameters))
    metrics_of = {trial.id: _metrics(trial) for trial in trials}
    metrics = sorted({key for found in metrics_of.values() for key in found})
    rows = []
    for trial in trials:
        row = _row(trial, metrics_of[trial.id], closed=search.closed)
        row["earlier"] = trial.role in ("baseline", "arm") and search.versions.get(trial.arm) != search.version(trial)
        # pandas refuses half a surrogate pair, which the name of a file in a reason may have
        shown = {key: visible(value) if isinstance(value, str) else value for key, value in row.items()}
        rows.append(dict.fromkeys(TEXT) | shown)  # None, since an empty column of NaN would be numbers in Parquet
    table = pd.DataFrame(rows, columns=[*HEAD, *parameters, *metrics])
    whole = {column: "Int64" for column in WHOLE}
    real = {column: "float64" for column in ("seconds", "flops", "gpus", "asked", "ended", *metrics)}
    return table.astype({column: "object" for column in TEXT} | whole | real | {"earlier": "bool"})


def tabulate_curves(search: SearchState) -> pd.DataFrame:
    """Return one row per trial, rung and metric: what was measured by words seen.

    Columns: trial, role, arm, seed, attempt, rung (nominal words), words_seen, phase, cycle, read_ratio, seconds,
    decision (missing where the rung was not judged), metric, value. A rung that a later attempt reported again has the
    later values.
    """
    rows = []
    for trial in search.trials.values():
        for rung, progress in sorted(trial.reports.items()):
            head = {"trial": trial.id, "role": trial.role, "arm": trial.arm, "seed": trial.seed, "rung": rung}
            decision = trial.decisions.get(rung)
            head |= {"attempt": trial.attempts[rung], "decision": None if decision is None else decision.value}
            head |= {key: getattr(progress, key) for key in ("words_seen", "phase", "cycle", "read_ratio", "seconds")}
            rows += [head | {"metric": name, "value": value} for name, value in sorted(progress.metrics.items())]
    return pd.DataFrame(rows, columns=[*CURVE, "decision", "metric", "value"])


def repeated_runs(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table of trials that are runs over fresh seeds, each under the present settings of its arm.

    A study that has grown may have set an arm differently, or tuned a baseline again: runs under earlier settings are
    left out. Finalists keep their settings, and all of their runs.

    Returns:
        With a column `parent`: the arm of the run that each run is matched to; None where it is matched to none.
    """
    arm_of = dict(zip(table["trial"], table["arm"], strict=True))
    parents = pd.Series([arm_of.get(trial) for trial in table["matched"]], index=table.index, dtype=object)
    repeated = table.join(parents.rename("parent"))
    return repeated[repeated["role"].isin(REPEATED) & (repeated["study"] == "") & ~repeated["earlier"]]


def parameter_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of a table of trials that hold parameters: dotted keys."""
    return [str(key) for key in table.columns if "." in str(key) and "/" not in str(key)]


def metric_columns(table: pd.DataFrame) -> list[str]:
    """Return the columns of a table of trials that hold metrics: `eval/...` and `test/...`."""
    return [str(key) for key in table.columns if "/" in str(key)]


def _metrics(trial: TrialState) -> dict[str, float]:
    """Return the last value of each metric, of the rungs and then of the end."""
    reported = [*trial.reports.values(), trial.progress, trial.outcome]
    return {key: value for each in reported if each is not None for key, value in each.metrics.items()}


def _row(trial: TrialState, metrics: dict[str, float], *, closed: bool) -> dict[str, Any]:
    """Return the columns of a trial that are known."""
    state = trial.state
    if not trial.ended:  # a bug's trial that waits for its next attempt is still shown as failed
        state = "failed" if trial.kind is not None else "interrupted" if closed else state
    row: dict[str, Any] = {
        "trial": trial.id,
        "state": state,
        "attempt": trial.attempt or None,
        "gpus": trial.gpus if trial.attempt else None,
        "asked": trial.asked_at,
        "ended": trial.ended_at,
        "not_finite": ", ".join(sorted(key for key, value in metrics.items() if not math.isfinite(value))) or None,
    }
    row |= {
        key: getattr(trial, key) for key in ("role", "arm", "study", "group", "seed", "repeats", "source", "matched")
    }
    row |= {key: getattr(trial, key) for key in ("kind", "reason")}
    if trial.progress is not None:
        row |= {key: getattr(trial.progress, key) for key in ("words_seen", "budget_words", "updates")}
    if trial.outcome is not None:
        row |= {key: getattr(trial.outcome, key) for key in ("words_seen", "updates", "flops", "device")}
    row["seconds"] = 0.0 if trial.repeats else trial.spent
    return row | trial.parameters | metrics
