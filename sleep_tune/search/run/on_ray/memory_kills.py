"""Whether workers died because memory ran out on their machine.

Its kernel kills processes then, and Ray some before it comes to that. Either kill is a SIGKILL, of which the process
itself can say nothing. The kernel counts its kills for everyone to read; Ray says it to whoever calls the dead actor.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["count_kills", "killed_by_ray", "killed_for_memory"]

COUNTS = Path("/proc/vmstat")


def count_kills(counts: Path = COUNTS) -> int:
    """Return how many processes the kernel has killed since it started because memory ran out, in any cgroup.

    Args:
        counts: the kernel's file of counts; 0 is returned where it has none.
    """
    try:
        lines = counts.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def killed_for_memory(error: BaseException) -> bool:
    """Return whether Ray's memory monitor is the cause of an error, or the cause of its cause."""
    from ray.exceptions import OutOfMemoryError

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OutOfMemoryError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def killed_by_ray(workers: Sequence[Any]) -> bool:
    """Return whether Ray's memory monitor killed one of some actors, of which some have died."""
    import ray
    from ray.exceptions import OutOfMemoryError, RayError

    for worker in workers:
        try:
            ray.get(worker.__ray_ready__.remote(), timeout=1.0)
        except OutOfMemoryError:
            return True
        except RayError:  # it died of something else, or does not answer
            continue
    return False
