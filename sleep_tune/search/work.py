"""What a free slot is given: a trial to train, a reason to wait, or the end. Plain records."""

from dataclasses import dataclass

from sleep_tune.search.configs import Tree
from sleep_tune.search.space import Value

__all__ = ["Done", "Trial", "Wait"]


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
