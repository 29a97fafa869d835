"""Records that cross layers: what runs report, what they are answered, how they end, and the events of a search.

| record | from | to |
|---|---|---|
| `Progress` | a run, through `Report` | the search, or the command that trains one model |
| `Decision` | the search, as the answer to a `Report` | the run |
| `Outcome` | a worker (configuration, report) -> Outcome; real or fake | its caller |
| `Event` | the search | trials.jsonl, and all that reads it |
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

__all__ = ["SCHEMA", "Decision", "Event", "Outcome", "Progress", "Report", "is_count", "is_number"]

SCHEMA = 3
"""Version of a line in trials.jsonl (`event_log`)."""


def is_number(value: object) -> bool:
    """Return whether a value from JSON is a number; a truth value is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_folder_name(value: object) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not set(value) & {"/", "\0"}


def is_count(value: object) -> bool:
    """Return whether a value from JSON is an integer >= 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class Decision(enum.Enum):
    """Answer to a run's report."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"
    """Save a checkpoint and end; another attempt resumes from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Progress of a run, and at a rung its evaluation.

    A heartbeat has `rung=None`, and the run does not wait for an answer. At a rung it waits for the decision.
    """

    words_seen: int
    """Running words trained on so far, replay included."""
    budget_words: int
    """Budget of the run, in words."""
    updates: int
    """Optimizer steps so far."""
    phase: str
    """'wake' or 'sleep'."""
    cycle: int
    """Cycles begun before this one, over the whole run (from 0)."""
    pass_index: int
    """Passes begun before this one (from 0)."""
    fold: int
    """Fold of the pass being read or slept on (from 0)."""
    folds: int
    """Folds in a pass."""
    read_ratio: float
    """Share of the corpus's samples read awake at least once, in [0, 1]."""
    seconds: float
    """Seconds of training and evaluation so far, over all attempts."""
    rung: int | None = None
    """Nominal words of the rung that is being reported; the budget itself at the end."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Latest loss for a heartbeat; every `eval/...` value for a rung."""
    control: str = ""
    """Kind of a control without sleep phases: 'interleaved' or 'matched'; empty for every other run."""

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for a line of JSON or a message between processes."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"metrics": dict(self.metrics)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Progress":
        """Return the record of a dictionary that `to_json` made."""
        return cls(**values)


Report = Callable[[Progress], Decision]
"""Function that a run calls with its progress; it acts on the answer at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended: completed, stopped or paused. A failure is an exception instead."""

    state: str
    """'completed' (the budget is spent), 'stopped' (by a decision at a rung) or 'paused' (to be resumed later)."""
    words_seen: int
    updates: int
    seconds: float
    """Seconds of training and evaluation, over all attempts."""
    flops: float
    """Estimated floating-point operations of training, forward and backward."""
    device: str
    """What it ran on, as torch names it: 'cpu', 'NVIDIA H100 80GB HBM3'."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Values of the last evaluation: `eval/...` on dev and, if requested, `test/...` on test."""

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for a line of JSON or a message between processes."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"metrics": dict(self.metrics)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Outcome":
        """Return the record of a dictionary that `to_json` made."""
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of trials.jsonl, the event log of a search.

    Events of a trial: asked, started, report, rung, paused, promoted, deferred, stopped, completed, failed, refused,
    adopted.
    Events of the search itself (trial is None): opened, resumed, changed, warmed, ended, look, closed.
    """

    event: str
    time: float
    """Seconds since 1970."""
    trial: str | None = None
    attempt: int | None = None
    """From 1; counted up each time the trial is started again."""
    role: str | None = None
    """search, baseline, arm or finalist."""
    arm: str | None = None
    """Its arm in the comparison: the name of a baseline or an arm, or the search trial that a finalist repeats."""
    seed: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """Further data, depending on the event: parameters, progress at a rung, the reason of a failure."""

    def __post_init__(self) -> None:
        """Check that the trial's name stays inside the folder of trials, where it is written and removed.

        Raises:
            ValueError: it does not; the message holds the name.
        """
        if self.trial is not None and not _is_folder_name(self.trial):
            raise ValueError(f"trial must be the name of one folder; got {self.trial!r}")

    def parts(self) -> tuple["Event", ...]:
        """Return the event itself; for `adopted`, the events of the adopted trial.

        They are one line, so that a trial is adopted completely or not at all, and have its time and trial.
        """
        if self.event != "adopted":
            return (self,)
        return tuple(replace(self, event=part["event"], data=part["data"]) for part in self.data["events"])

    def to_json(self) -> dict[str, Any]:
        """Return the object of the line: the fields that are set, and `data`."""
        head = {
            "schema": SCHEMA,
            "event": self.event,
            "time": self.time,
            "trial": self.trial,
            "attempt": self.attempt,
            "role": self.role,
            "arm": self.arm,
            "seed": self.seed,
        }
        return {key: value for key, value in head.items() if value is not None} | {"data": dict(self.data)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Event":
        """Return the record of a dictionary that `to_json` made."""
        return cls(**{key: value for key, value in values.items() if key != "schema"})
