"""Errors of libraries for lack of memory, disk or limits, turned into errors of this package."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from sleep_tune.errors import DiskError, OutOfMemory, SleepTuneError, refusal

__all__ = ["CPU_ALLOCATOR", "translated_failures"]

CPU_ALLOCATOR = "DefaultCPUAllocator"
"""torch raises a plain RuntimeError for the CPU's memory, with this in it."""
UNWRITTEN = "file write failed"
"""torch.save raises an error of its own where a file cannot be written, mostly for a full disk, with this in it."""
WRITTEN = "checkpoints and the model"


@contextmanager
def translated_failures(folder: Path) -> Iterator[None]:
    """Raise OutOfMemory, DiskError or LimitError in place of a library's error with that cause.

    Args:
        folder: the run's folder, for the message.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(_too_small("GPU", error), on_gpu=True) from error
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and CPU_ALLOCATOR in str(error)):
            raise OutOfMemory(_too_small("machine", error)) from error
        refused = None if isinstance(error, SleepTuneError) else refusal(error, f"{WRITTEN} in {folder}")
        if refused is None and UNWRITTEN in str(error):
            refused = DiskError(f"the disk must have room for {WRITTEN} in {folder}; a file could not be written")
        if refused is not None:
            raise refused from error
        raise


def _too_small(what: str, error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return (
        f"the {what}'s memory must hold the model and a batch; lower training.batch_size or data.max_length ({first})"
    )
