"""Messages between the driver, a slot and the workers of the slot."""

from dataclasses import dataclass
from typing import Any

from sleep_tune.errors import UserError
from sleep_tune.records import Outcome, Progress

__all__ = [
    "Ended",
    "Failed",
    "GroupEnded",
    "Job",
    "Key",
    "MailboxClosed",
    "Message",
    "ProgressMessage",
    "UserMistake",
    "WorkerLost",
]

Key = tuple[str, int]
"""Trial and attempt, which identify a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _OfJob:
    trial: str
    attempt: int

    @property
    def key(self) -> Key:
        """The trial and the attempt."""
        return self.trial, self.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(_OfJob):
    """One attempt at one trial."""

    config: dict[str, Any]
    """The run's configuration as nested plain values."""
    log: str
    """Absolute path of the file that takes what the workers print during this job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressMessage(_OfJob):
    """A heartbeat, or the report of a rung, whose sender waits for a decision."""

    progress: Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended(_OfJob):
    """The run has completed, stopped or paused."""

    outcome: Outcome | None
    """None if no worker had taken the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(_OfJob):
    """The run raised an error."""

    kind: str
    """diverged, out_of_memory or bug."""
    reason: str
    on_gpu: bool = False
    """Whether the memory that ran out is the GPU's, and not the machine's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMistake(_OfJob):
    """The run raised a `UserError`. A full disk pauses the search; any other error ends it with this message."""

    error: UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLost(_OfJob):
    """A worker process died while it trained the job; the process that replaces it waits for a new job."""

    killer: str | None = None
    """'the kernel' or 'Ray', if it killed the worker because memory ran out on its machine; else None."""
    workers: tuple[Any, ...] = ()
    """Actor handles of the group's workers, including the dead one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEnded:
    """The slot's worker group has ended and takes no more jobs."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxClosed:
    """The mailbox was closed because the search is over."""


Message = ProgressMessage | Ended | Failed | UserMistake | WorkerLost | GroupEnded | MailboxClosed
"""What a slot receives from its mailbox."""
