"""The record of one trial, and how trials stand at a rung. Changed by `search_state` alone."""

import bisect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sleep_tune.records import Decision, Outcome, Progress

__all__ = ["Arrivals", "Standing", "TrialState", "Value", "configuration_key"]

Value = str | int | float | bool | None
"""What a parameter can be set to."""


def configuration_key(parameters: Mapping[str, Value]) -> str:
    """The same string for the same settings, whatever their order."""
    return json.dumps(dict(parameters), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an arrival stood at a rung when it came."""

    reported: int
    """Arrivals by then, itself among them."""
    ahead: int | None
    """Earlier ones that were as good or better; None if its own value is not finite."""


@dataclass(slots=True)
class Arrivals:
    """The values that have come to one rung, in whatever order."""

    mode: str
    """'min' or 'max'."""
    reported: int = 0
    finite: list[float] = field(default_factory=list)
    """Ascending; negated where more is better."""

    def add(self, value: float) -> Standing:
        """Take in one more."""
        self.reported += 1
        if not math.isfinite(value):
            return Standing(self.reported, None)
        signed = value if self.mode == "min" else -value
        ahead = bisect.bisect_right(self.finite, signed)
        self.finite.insert(ahead, signed)
        return Standing(self.reported, ahead)


@dataclass(slots=True, kw_only=True)
class TrialState:
    """One trial, as far as it has come."""

    id: str
    role: str
    """search, baseline or finalist."""
    arm: str
    """What it is a run of in the comparison: a baseline's name, or a search trial's id."""
    seed: int
    parameters: dict[str, Value]
    study: str
    """Which study asked for it; repeats over seeds belong to none ('')."""
    number: int | None
    """Of the ask in its study, from 0; None for a repeat over seeds, and for a trial of another experiment."""
    group: str
    """Trials are compared at rungs within a group."""
    point: dict[str, Value] | None = None
    """A search trial's settings as the present space has them; None if they do not fit it."""
    place: int = 0
    """In the order of asking, over all studies; from 0."""
    enqueued: bool = False
    """Whether the file says that it is to be trained, so that nobody proposed all of it."""
    source: str | None = None
    """The folder of the earlier experiment that a trial was taken from."""
    asked_at: float
    state: str = "waiting"
    """waiting (asked, or to be started again), running, completed, stopped, failed, refused."""
    attempt: int = 0
    """Times it was started."""
    retries: int = 0
    """Of these, after its process was lost."""
    killer: str | None = None
    """Who killed the attempt before because memory ran out on its machine, if somebody did."""
    gpus: float = 0.0
    """GPUs it holds while it runs."""
    started_at: float | None = None
    """When the last attempt began."""
    ended_at: float | None = None
    progress: Progress | None = field(default=None, compare=False)
    """The last report, heartbeats included (these are not logged, and lost with the process)."""
    reports: dict[int, Progress] = field(default_factory=dict)
    """Nominal words of each rung reached -> what was reported there, the end included."""
    attempts: dict[int, int | None] = field(default_factory=dict)
    """Nominal words of each rung reached -> the attempt that reported it last."""
    rungs: dict[int, float] = field(default_factory=dict)
    """Nominal words of each rung reached -> the objective there; NaN if it was not finite."""
    decisions: dict[int, Decision] = field(default_factory=dict)
    """Nominal words of each rung judged -> what was decided."""
    kept: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Nominal words of each rung judged -> how many of how many arrivals went on there at the time."""
    standings: dict[int, Standing] = field(default_factory=dict)
    """Nominal words of each rung reached -> how it stood there when it came."""
    outcome: Outcome | None = None
    value: float | None = None
    """The objective at the end of the budget, of a completed trial."""
    kind: str | None = None
    """Why it failed or was refused: diverged, out_of_memory, infrastructure, bug; budget, config, repeat."""
    reason: str | None = None
    """The same in a sentence."""
    log: str | None = None
    """Path of the process's log, where one says more."""
    spent: float = 0.0
    """Seconds of training and evaluation by the log: the most that any report, pause or end has said."""
    held: float = 0.0
    """GPU-seconds of these: each second counts the GPUs of the attempt that first reported it."""
    repeats: str | None = None
    """The trial whose result it took without being trained."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it (but a bug's trial is tried again in the next session)."""
        return self.state in ("completed", "stopped", "failed", "refused")

    @property
    def told_to_stop(self) -> bool:
        """Whether a rung has decided against it."""
        return Decision.STOP in self.decisions.values()

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation, over all attempts: the most reported so far, heartbeats included.

        Never less than before: an attempt that restarts from an older checkpoint, or that ends before it begins,
        reports less than the search knows of already.
        """
        return max(self.spent, self.progress.seconds if self.progress is not None else 0.0)

    @property
    def gpu_seconds(self) -> float:
        """GPU-seconds of training and evaluation, over all attempts. Never less than before."""
        return self.held + (self.seconds - self.spent) * self.gpus

    def spend(self, seconds: float) -> None:
        """Take in how many seconds an event says have been spent on the trial, over all attempts."""
        if seconds > self.spent:
            self.held += (seconds - self.spent) * self.gpus
            self.spent = seconds
