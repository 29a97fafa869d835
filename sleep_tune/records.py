"""Frozen records that cross layers: what a run says of itself, what it is told, and the search's event log.

Three seams meet here. `Worker`: (config, report) -> Outcome trains one configuration; `report(progress) -> Decision`
is the only word it hears from outside. A fake worker that replays curves has the same shape.
"""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

__all__ = ["SCHEMA", "Decision", "Event", "Outcome", "Progress", "Report", "is_count", "is_number"]

SCHEMA = 2
"""Version of a line in trials.jsonl (`event_log`)."""


def is_number(value: object) -> bool:
    """Whether a value read from JSON is a number; a truth value is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_folder_name(value: object) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not set(value) & {"/", "\0"}


def is_count(value: object) -> bool:
    """Whether a value read from JSON is an integer >= 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


class Decision(enum.Enum):
    """What a run is told after a report."""

    CONTINUE = "continue"
    STOP = "stop"
    PAUSE = "pause"
    """Save a checkpoint and end; the run goes on from there in another attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a run stands; with `rung`, the evaluation at that rung too.

    A heartbeat has `rung=None` and is never waited for. A rung's report is answered with a decision.
    """

    words_seen: int
    """Running words trained on so far, replay included."""
    budget_words: int
    """Words that the run may see in all."""
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

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary for a line of JSON or a message between processes."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"metrics": dict(self.metrics)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Progress":
        """The inverse of `to_json`."""
        return cls(**values)


Report = Callable[[Progress], Decision]
"""Called by a run with its progress; the answer is obeyed at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended, when it ended by itself or was told to stop. A failure is raised instead."""

    state: str
    """'completed' (the budget is spent), 'stopped' (told so at a rung) or 'paused' (told so; it is to go on later)."""
    words_seen: int
    updates: int
    seconds: float
    """Seconds of training and evaluation, over all attempts."""
    flops: float
    """Estimated floating-point operations of training, forward and backward."""
    device: str
    """What it ran on, as torch names it: 'cpu', 'NVIDIA H100 80GB HBM3'."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """The last evaluation's values: `eval/...` on dev and, when asked for, `test/...` on test."""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary for a line of JSON or a message between processes."""
        return {field.name: getattr(self, field.name) for field in fields(self)} | {"metrics": dict(self.metrics)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Outcome":
        """The inverse of `to_json`."""
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of trials.jsonl, the search's memory.

    Events of a trial: asked, started, report, rung, paused, stopped, completed, failed, refused, adopted. Events of the
    search itself (trial is None): opened, resumed, changed, warmed, ended, closed.
    """

    event: str
    time: float
    """Seconds since 1970."""
    trial: str | None = None
    attempt: int | None = None
    """From 1; counted up each time the trial is started again."""
    role: str | None = None
    """search, baseline or finalist."""
    arm: str | None = None
    """What the trial is a run of in the comparison: a baseline's name, or the search trial a finalist repeats."""
    seed: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    """What this event has of its own: parameters when asked, progress at a rung, a reason when failed."""

    def __post_init__(self) -> None:
        """Refuse a name of a trial that leads out of the folder of trials, where what it names is written and removed.

        Raises:
            ValueError: names it.
        """
        if self.trial is not None and not _is_folder_name(self.trial):
            raise ValueError(f"trial must be the name of one folder; got {self.trial!r}")

    def parts(self) -> tuple["Event", ...]:
        """Itself; or the events that `adopted`, one line so that a trial is taken over whole or not at all, is made of.

        They carry the head and the time of the line.
        """
        if self.event != "adopted":
            return (self,)
        return tuple(replace(self, event=part["event"], data=part["data"]) for part in self.data["events"])

    def to_json(self) -> dict[str, Any]:
        """The line's object: the fields that are set, then the event's own data beside them."""
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
        """The inverse of `to_json`."""
        return cls(**{key: value for key, value in values.items() if key != "schema"})
