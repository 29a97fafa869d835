"""The group of processes that train one run together; a single process is a group of one."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch.distributed as dist

from sleep_tune.errors import JobCancelled, UserError

__all__ = ["ProcessGroup", "find_process_group"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ProcessGroup:
    """This process's rank in the group, and exchanges with the others; in a group of one they return at once."""

    rank: int = 0
    """In [0, size)."""
    size: int = 1
    """Number of processes, >= 1."""

    @property
    def is_leader(self) -> bool:
        """Whether this is the process that writes files and reports: rank 0."""
        return self.rank == 0

    def all_gather(self, value: Any) -> list[Any]:
        """Return every process's value, in the order of ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def broadcast(self, value: Any) -> Any:
        """Return the leading process's value."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def run_on_leader(self, action: Callable[[], T]) -> T:
        """Call `action` in the leading process only, and return its result in every process.

        If it raises, every process raises: otherwise the others would wait for the leading one forever.

        Raises:
            UserError: raised by the action; in every process.
            JobCancelled: the action raised another error, which the leading process raises; in all others.
        """
        if self.size == 1:
            return action()
        result: T | None = None
        error: Exception | None = None
        if self.is_leader:
            try:
                result = action()
            except Exception as raised:
                error = raised
        shared: Exception | None = error
        if error is not None and not isinstance(error, UserError):
            shared = JobCancelled(f"{type(error).__name__}: {error}")
        result, shared = self.broadcast((result, shared))
        if shared is not None:
            raise error or shared
        return result

    def barrier(self) -> None:
        """Wait until every process has called this."""
        if self.size > 1:
            dist.barrier()


def find_process_group() -> ProcessGroup:
    """Return torch's process group that this process belongs to, or a group of one."""
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return ProcessGroup(dist.get_rank(), dist.get_world_size())
    return ProcessGroup()
