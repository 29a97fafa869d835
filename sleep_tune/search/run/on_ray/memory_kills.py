"""Detection of workers that were killed because memory ran out on their machine.

Both the kernel and Ray's memory monitor kill by SIGKILL, so the process cannot report it. The kernel counts its kills
in /proc/vmstat. Ray raises OutOfMemoryError in a call to the dead actor.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

__all__ = ["count_kills", "killed_by_ray", "killed_for_memory"]

COUNTS = Path("/proc/vmstat")


def count_kills(counts: Path = COUNTS) -> int:
    """Return how many processes the kernel has killed since boot because memory ran out, in any cgroup.

    Args:
        counts: the kernel's file of counts; without it, or without this count in it, 0 is returned.
    """
    try:
        lines = counts.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)


def killed_for_memory(error: BaseException) -> bool:
    """Return whether an error was caused, directly or through other errors, by Ray's memory monitor."""
    from ray.exceptions import OutOfMemoryError

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, OutOfMemoryError):
        cause = cause.__cause__ or cause.__context__
    return cause is not None


def killed_by_ray(workers: Sequence[Any]) -> bool:
    """Return whether Ray's memory monitor killed any of these actors."""
    import ray
    from ray.exceptions import OutOfMemoryError, RayError

    for worker in workers:
        try:
            ray.get(worker.__ray_ready__.remote(), timeout=1.0)
        except OutOfMemoryError:
            return True
        except RayError:  # it died for another reason, or does not answer
            continue
    return False
