"""The processes that train one run together, or the one that trains it alone. Knows nothing of what they exchange."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch.distributed as dist

from sleep_tune.errors import JobCancelled, UserError

__all__ = ["Peers", "find_peers"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Peers:
    """This process's place among those that train the run; alone, every exchange is a plain return."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes and reports."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """Every process's value, in the order of ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value)
        return values

    def first(self, value: Any) -> Any:
        """What the leading process holds."""
        if self.size == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def lead(self, action: Callable[[], T]) -> T:
        """Have the leading process act, and return in every process what it returned.

        Where it raises, every process leaves the run, instead of waiting in vain for the leading one.

        Raises:
            UserError: the action's, in every process.
            JobCancelled: another error of the action's, in every process but the leading one, which raises that error.
        """
        if self.size == 1:
            return action()
        result: T | None = None
        error: Exception | None = None
        if self.leads:
            try:
                result = action()
            except Exception as raised:
                error = raised
        told: Exception | None = error
        if error is not None and not isinstance(error, UserError):
            told = JobCancelled(f"{type(error).__name__}: {error}")
        result, told = self.first((result, told))
        if told is not None:
            raise error or told
        return result

    def wait(self) -> None:
        """Go on when every process has come here."""
        if self.size > 1:
            dist.barrier()


def find_peers() -> Peers:
    """The process group that this process belongs to, if one of several processes was made."""
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return Peers(dist.get_rank(), dist.get_world_size())
    return Peers()
