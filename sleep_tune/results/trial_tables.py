"""The search's event log as tidy pandas tables: one row per trial, and one row per trial, rung and metric.

Reads trials.jsonl alone, as far as it goes: a search that is still running, was killed, or has failed trials gives a
partial table. Knows nothing of arms or statistics.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from sleep_tune.experiment import event_log
from sleep_tune.experiment.event_log import LOG
from sleep_tune.plain_text import visible
from sleep_tune.records import Event

__all__ = ["HEAD", "curves", "metric_columns", "parameter_columns", "read_curves", "read_events"]
__all__ += ["read_trials", "trials", "trials_and_curves"]

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
    "kind",
    "reason",
    "not_finite",
)
WHOLE = ("seed", "attempt", "words_seen", "budget_words", "updates")

ENDS = ("stopped", "completed", "failed", "refused")
STATES = {"asked": "waiting", "started": "running", "paused": "waiting"} | {end: end for end in ENDS}
"""Event -> the state that it leaves a trial in. Reports and rungs change none."""

CURVE = ("trial", "role", "arm", "seed", "attempt", "rung", "words_seen", "phase", "cycle", "read_ratio", "seconds")


def read_events(folder: Path) -> tuple[Event, ...]:
    """Every event of the experiment in `folder`, a last line torn by a kill left out.

    Raises:
        RunFolderError: the folder has no event log, or one with a line that is not as it was written.
    """
    return event_log.read_events(folder / LOG)


def read_trials(folder: Path) -> pd.DataFrame:
    """`trials` of the experiment in `folder`.

    Raises:
        RunFolderError: the folder has no event log, or one with a line that is not as it was written.
    """
    return trials(read_events(folder))


def read_curves(folder: Path) -> pd.DataFrame:
    """`curves` of the experiment in `folder`.

    Raises:
        RunFolderError: the folder has no event log, or one with a line that is not as it was written.
    """
    return curves(read_events(folder))


def trials(events: Iterable[Event]) -> pd.DataFrame:
    """One row per trial, in the order in which they were asked for.

    Columns: those of `HEAD`; the trial's parameters under their dotted keys (`sleep.folds`); the last values of its
    metrics (`eval/nll`, `test/nll`, ...). `state` is waiting, running, stopped, completed, failed, refused, or
    interrupted (unfinished when the search was closed). `study` is empty for runs repeated over seeds; `source` is
    the folder of the earlier experiment that a trial was taken from, by a warm start. `not_finite` names the metrics
    that were measured last and are no finite number, with commas between. `asked` and
    `ended` are seconds since 1970. Where a trial was attempted more than once, the last attempt's values win; `seconds`
    is the most that any of them reported, and 0 for a trial that took another's result. A value that is not known yet
    is missing.
    """
    return _trials(_fold(events).values())


def trials_and_curves(events: Iterable[Event]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`trials` and `curves` from one pass over the events."""
    folded = _fold(events).values()
    return _trials(folded), _curves(folded)


def _trials(folded: Collection["_Trial"]) -> pd.DataFrame:
    parameters = list(dict.fromkeys(key for trial in folded for key in trial.parameters))
    metrics = sorted({key for trial in folded for key in trial.metrics})
    # half a character, as a file's name may have it in a reason, is no text to pandas
    rows = [
        {key: visible(value) if isinstance(value, str) else value for key, value in trial.row().items()}
        for trial in folded
    ]
    table = pd.DataFrame(rows, columns=[*HEAD, *parameters, *metrics])
    whole = {column: "Int64" for column in WHOLE}
    real = {column: "float64" for column in ("seconds", "flops", "gpus", "asked", "ended", *metrics)}
    return table.astype({column: "object" for column in TEXT} | whole | real)


def curves(events: Iterable[Event]) -> pd.DataFrame:
    """One row per trial, rung and metric: what was measured by words seen.

    Columns: trial, role, arm, seed, attempt, rung (nominal words), words_seen, phase, cycle, read_ratio, seconds,
    decision (missing where the rung was not judged), metric, value. A rung that was reported again by a later attempt
    has the later values.
    """
    return _curves(_fold(events).values())


def _curves(folded: Collection["_Trial"]) -> pd.DataFrame:
    rows = []
    for trial in folded:
        for rung, (attempt, progress) in sorted(trial.rungs.items()):
            known = trial.row() | progress | {"attempt": attempt, "decision": trial.decisions.get(rung)}
            head = {key: known.get(key) for key in (*CURVE, "decision")}
            rows += [head | {"metric": name, "value": value} for name, value in sorted(progress["metrics"].items())]
    return pd.DataFrame(rows, columns=[*CURVE, "decision", "metric", "value"])


def parameter_columns(table: pd.DataFrame) -> list[str]:
    """The columns of a table of trials that hold parameters: dotted keys."""
    return [str(key) for key in table.columns if "." in str(key) and "/" not in str(key)]


def metric_columns(table: pd.DataFrame) -> list[str]:
    """The columns of a table of trials that hold metrics: `eval/...` and `test/...`."""
    return [str(key) for key in table.columns if "/" in str(key)]


@dataclass
class _Trial:
    """One trial's row while the log is read."""

    head: dict[str, Any]
    state: str = "waiting"
    parameters: dict[str, Any] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    rungs: dict[int, tuple[int | None, dict[str, Any]]] = field(default_factory=dict)
    decisions: dict[int, str] = field(default_factory=dict)

    def spend(self, seconds: float | None) -> None:
        """Take in how many seconds an event says the trial has taken so far: an attempt that begins anew says less."""
        if seconds is not None:
            self.values["seconds"] = max(seconds, self.values.get("seconds", seconds))

    def row(self) -> dict[str, Any]:
        """The columns that are known."""
        broken = [key for key, value in self.metrics.items() if value is not None and not math.isfinite(value)]
        own = {"state": self.state, "not_finite": ", ".join(sorted(broken)) or None}
        return self.head | self.values | own | self.parameters | self.metrics


def _fold(events: Iterable[Event]) -> dict[str, _Trial]:
    """Trial id -> what its events, in order, leave of it."""
    folded: dict[str, _Trial] = {}
    for event in events:
        if event.trial is not None:
            head = {"trial": event.trial, "asked": event.time}
            for part in event.parts():
                _apply(folded.setdefault(event.trial, _Trial(head)), part)
        elif event.event in ("closed", "resumed"):
            _leave(folded.values(), "interrupted" if event.event == "closed" else "waiting")
            for name, seconds in (event.data.get("seconds") or {}).items():
                folded[name].spend(seconds)
    return folded


def _leave(folded: Iterable[_Trial], state: str) -> None:
    """A session ended, or another began: nobody is training what had not ended."""
    for trial in folded:
        if trial.state not in ENDS:
            trial.state = state


def _apply(trial: _Trial, event: Event) -> None:
    """Bring `trial` up to date with one event."""
    known = {"role": event.role, "arm": event.arm, "seed": event.seed, "attempt": event.attempt}
    trial.head |= {key: value for key, value in known.items() if value is not None}
    trial.state = STATES.get(event.event, trial.state)
    data = event.data
    match event.event:
        case "asked":
            trial.parameters = dict(data.get("parameters") or {})
            trial.head |= {key: data.get(key) for key in ("group", "source")} | {"study": data.get("study") or ""}
        case "started":
            trial.head["gpus"] = data.get("gpus")
            trial.spend(data.get("seconds"))
            for key in ("kind", "reason", "ended"):  # an earlier attempt's end is not this one's
                trial.values.pop(key, None)
        case "report":
            _report(trial, event.attempt, dict(data["progress"]), int(data["rung"]))
        case "rung":
            trial.decisions[int(data["rung"])] = data["decision"]
        case "paused":
            trial.spend((data["outcome"] or {}).get("seconds"))
    if event.event in ENDS:
        trial.values |= {key: data.get(key) for key in ("kind", "reason", "repeats")} | {"ended": event.time}
        outcome = dict(data.get("outcome") or {})
        trial.metrics |= outcome.pop("metrics", {})
        trial.spend(data.get("seconds"))
        seconds = outcome.pop("seconds", None)
        trial.spend(0.0 if data.get("repeats") else seconds)
        trial.values |= {key: value for key, value in outcome.items() if key != "state"}


def _report(trial: _Trial, attempt: int | None, progress: dict[str, Any], rung: int) -> None:
    """Where the trial stands at a rung, and what was measured there."""
    trial.values |= {key: progress[key] for key in ("words_seen", "budget_words", "updates")}
    trial.spend(progress["seconds"])
    trial.metrics |= progress["metrics"]
    trial.rungs[rung] = (attempt, progress | {"rung": rung})
