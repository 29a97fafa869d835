"""Assignments of the director to a free slot: a trial to train, an order to wait, or the end of the search."""

from collections.abc import Callable
from dataclasses import dataclass

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import Tree
from sleep_tune.errors import Diverged, OutOfMemory, TrialFailure
from sleep_tune.experiment.trial_state import Value
from sleep_tune.records import Outcome, Report

__all__ = ["KINDS", "Done", "Trial", "Wait", "Worker"]

Worker = Callable[[RunConfig, Report], Outcome]
"""Trains one configuration and reports its progress; raises if the run fails."""

KINDS: dict[type[TrialFailure], str] = {Diverged: "diverged", OutOfMemory: "out_of_memory"}
"""Failure that a run raises -> its kind in the event log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One attempt at a trial, to be trained now."""

    id: str
    role: str
    """search, baseline, arm or finalist."""
    arm: str
    """Its arm in the comparison: the name of a baseline or an arm, or a search trial's id."""
    seed: int
    parameters: dict[str, Value]
    attempt: int
    """From 1; from 2 on the run resumes from its last checkpoint."""
    config: Tree
    """The whole configuration (`config.tree.from_dict` makes a RunConfig of it)."""
    group: str
    """Trials are compared at rungs within a group."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be started before a running trial ends, or while the search is paused."""


@dataclass(frozen=True, slots=True)
class Done:
    """The search is over."""
