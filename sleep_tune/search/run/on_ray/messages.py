"""What the driver, a slot and its workers say to one another. Plain records; knows nothing of how they travel."""

from dataclasses import dataclass
from typing import Any

from sleep_tune.errors import UserError
from sleep_tune.records import Outcome, Progress

__all__ = ["Closed", "Ended", "Failed", "GroupEnded", "Heard", "Job", "Key", "Lost", "Message", "Refused"]

Key = tuple[str, int]
"""Trial and attempt: what tells a job from every other one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One attempt at one trial."""

    trial: str
    attempt: int
    config: dict[str, Any]
    """The run's configuration as nested plain values."""
    log: str
    """Absolute path of the file that takes what the workers print during this job."""

    @property
    def key(self) -> Key:
        """What tells this job from every other one."""
        return self.trial, self.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A heartbeat, or with a rung a report that waits for its decision."""

    trial: str
    attempt: int
    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The run ended by itself or as it was told."""

    trial: str
    attempt: int
    outcome: Outcome | None
    """None for a job that was given back before any worker took it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The run raised."""

    trial: str
    attempt: int
    kind: str
    """diverged, out_of_memory or bug."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The run met the user's mistake, a full disk for one: the search stops with this message."""

    trial: str
    attempt: int
    error: UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """A worker process died with the job; its successor waits to be told what to do."""

    trial: str
    attempt: int
    killer: str | None = None
    """Who killed it because memory ran out on its machine: the kernel, or Ray; None if nothing says so."""
    workers: tuple[Any, ...] = ()
    """Handles of the group's workers as they were, the dead one among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEnded:
    """The slot's worker group is gone for good: no job will be taken any more."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The mailbox was closed: the search is over."""


Message = Heard | Ended | Failed | Refused | Lost | GroupEnded | Closed
"""What a slot hears of its workers."""
