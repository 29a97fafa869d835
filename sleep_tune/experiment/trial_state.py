"""State of one trial, and ranks of trials at a rung. `search_state` is the only module that changes them."""

import bisect
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sleep_tune.records import Decision, Outcome, Progress

__all__ = ["Arrivals", "RungRank", "TrialState", "Value", "configuration_key", "version_key"]

Value = str | int | float | bool | None
"""Value of a parameter."""


def configuration_key(parameters: Mapping[str, Value]) -> str:
    """Return a string that is the same for the same settings, in any order."""
    return json.dumps(dict(parameters), sort_keys=True)


def version_key(parameters: Mapping[str, Value], parent: str | None = None) -> str:
    """Return a key of what an arm is: its settings, and of a control the arm whose exposures it has, its parent."""
    return configuration_key(parameters if parent is None else {**parameters, "sleep.matched": parent})


@dataclass(frozen=True, slots=True)
class RungRank:
    """Rank of a trial among those that had reached a rung by some moment: when it did, or later."""

    reported: int
    """Trials that had reported there, this one included."""
    ahead: int | None
    """Trials with a better value, or as good and earlier; None if its own value is not finite."""


@dataclass(slots=True)
class Arrivals:
    """Values reported at one rung, and how many."""

    mode: str
    """'min' or 'max'."""
    reported: int = 0
    ranked: list[tuple[float, int, str]] = field(default_factory=list)
    """(signed value, number of the report, trial) of finite values, best first; of equal values the earlier first."""

    def add(self, trial: str, value: float) -> RungRank:
        """Add the value of a trial and return its rank."""
        self.reported += 1
        if not math.isfinite(value):
            return RungRank(self.reported, None)
        rank = self.rank(trial, value, self.reported)
        assert rank.ahead is not None
        self.ranked.insert(rank.ahead, (self._signed(value), self.reported, trial))
        return rank

    def rank(self, trial: str, value: float, number: int) -> RungRank:
        """Return the rank among all values so far, of a trial's finite value that was reported as the `number`th."""
        return RungRank(self.reported, bisect.bisect_left(self.ranked, (self._signed(value), number, trial)))

    def _signed(self, value: float) -> float:
        return value if self.mode == "min" else -value


@dataclass(slots=True, kw_only=True)
class TrialState:
    """State of one trial, by the events so far."""

    id: str
    role: str
    """search, baseline, arm or finalist."""
    arm: str
    """Its arm in the comparison: the name of a baseline or an arm, or a search trial's id."""
    seed: int
    parameters: dict[str, Value]
    study: str
    """The study that asked for it; '' for a run over fresh seeds."""
    number: int | None
    """Number of the ask in its study, from 0; None for a run over fresh seeds and for a trial of another experiment."""
    group: str
    """Trials are compared at rungs within a group (`scheduler.within`)."""
    point: dict[str, Value] | None = None
    """A search trial's settings as a point of the current space; None if they do not fit it."""
    place: int = 0
    """Place in the order of asking over all studies, from 0."""
    enqueued: bool = False
    """Whether it is a point of the space's `enqueue`, so that the sampler proposed at most a part of it."""
    source: str | None = None
    """Folder of the earlier experiment that it was copied from."""
    matched: str | None = None
    """Its parent, the run of the same seed whose exposures it has in random order; None for all but controls."""
    asked_at: float
    """In seconds since 1970, as `ended_at` is."""
    state: str = "waiting"
    """waiting (asked, or to be restarted), running, paused (at a rung), completed, stopped, failed, refused."""
    attempt: int = 0
    """Number of the last attempt, from 1; 0 before the first."""
    retries: int = 0
    """Attempts that followed a lost process."""
    killer: str | None = None
    """What killed the attempt before because its machine ran out of memory; None if nothing did."""
    alone: bool = False
    """Whether it ran out of memory while it shared that memory: from then on nothing else may run beside it."""
    gpus: float = 0.0
    """GPUs it holds while it runs."""
    ended_at: float | None = None
    progress: Progress | None = field(default=None, compare=False)
    """The last report; heartbeats count, though they are not in the log."""
    reports: dict[int, Progress] = field(default_factory=dict)
    """Nominal words of each rung reached, the end included -> its report."""
    attempts: dict[int, int | None] = field(default_factory=dict)
    """Nominal words of each rung reached -> the attempt that reported there last."""
    rungs: dict[int, float] = field(default_factory=dict)
    """Nominal words of each rung reached -> the objective there; NaN if it was not finite."""
    decisions: dict[int, Decision] = field(default_factory=dict)
    """Nominal words of each rung judged -> the decision."""
    kept: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Nominal words of each rung judged -> (trials promoted, trials reported) there at the time."""
    ranks: dict[int, RungRank] = field(default_factory=dict)
    """Nominal words of each rung reached -> its rank there."""
    outcome: Outcome | None = None
    value: float | None = None
    """The objective at the end of the budget, of a completed trial."""
    kind: str | None = None
    """Why it failed (diverged, out_of_memory, infrastructure, bug, parent), or was refused (budget, config, repeat,
    dropped)."""
    reason: str | None = None
    """Why it ended, has paused at a rung, or waits to run alone; in a sentence."""
    log: str | None = None
    """Path of the process's log."""
    spent: float | None = None
    """Seconds of training and evaluation by the log: the largest number in any event; None before an event has one."""
    held: float = 0.0
    """GPU-seconds of these: each second counts the GPUs of the attempt that first reported it."""
    repeats: str | None = None
    """The trial whose result it has; it was not trained itself."""

    @property
    def ended(self) -> bool:
        """Whether it has ended. One that failed by a bug is retried in the next session."""
        return self.state in ("completed", "stopped", "failed", "refused")

    @property
    def must_stop(self) -> bool:
        """Whether it was pruned at a rung."""
        return Decision.STOP in self.decisions.values()

    @property
    def paused_at(self) -> int | None:
        """Nominal words of the rung at which it has paused, or is about to; None if there is none."""
        return next((rung for rung, decision in self.decisions.items() if decision is Decision.PAUSE), None)

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation over all attempts: the largest number reported, heartbeats included.

        It never decreases: an attempt that restarts from an older checkpoint, or ends before it begins, reports less.
        """
        return max(self.spent or 0.0, self.progress.seconds if self.progress is not None else 0.0)

    @property
    def gpu_seconds(self) -> float:
        """GPU-seconds of training and evaluation over all attempts. It never decreases."""
        return self.held + (self.seconds - (self.spent or 0.0)) * self.gpus

    def spend(self, seconds: float) -> None:
        """Count seconds spent on the trial over all attempts, as an event states them."""
        if self.spent is None or seconds > self.spent:
            self.held += (seconds - (self.spent or 0.0)) * self.gpus
            self.spent = seconds
