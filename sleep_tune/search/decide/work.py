"""What a free slot is given (a trial to train, a reason to wait, or the end), and who trains it. Plain records."""

from collections.abc import Callable
from dataclasses import dataclass

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import Tree
from sleep_tune.errors import Diverged, OutOfMemory, TrialFailure
from sleep_tune.experiment.trial_state import Value
from sleep_tune.records import Outcome, Report

__all__ = ["KINDS", "Done", "Trial", "Wait", "Worker"]

Worker = Callable[[RunConfig, Report], Outcome]
"""Trains one configuration, reporting as it goes; a failure is raised."""

KINDS: dict[type[TrialFailure], str] = {Diverged: "diverged", OutOfMemory: "out_of_memory"}
"""What a run may raise of itself -> the kind of failure that the search is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing to train now."""

    id: str
    role: str
    """search, baseline or finalist."""
    arm: str
    """What it is a run of in the comparison: a baseline's name, or a search trial's id."""
    seed: int
    parameters: dict[str, Value]
    attempt: int
    """From 1; above 1 the run goes on from its last checkpoint."""
    config: Tree
    """The whole configuration (`config.tree.from_dict` makes a RunConfig of it)."""
    group: str
    """Trials are compared at rungs within a group."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to start before a running trial ends."""


@dataclass(frozen=True, slots=True)
class Done:
    """The search is over."""
