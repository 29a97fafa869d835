"""What libraries raise when the device or the disk is too small, as errors of ours. Knows no run."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from sleep_tune.errors import DiskError, OutOfMemory

__all__ = ["CPU_ALLOCATOR", "translated_failures"]

CPU_ALLOCATOR = "DefaultCPUAllocator"
"""torch raises a plain RuntimeError for the CPU's memory, with this in it."""
FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_MESSAGES = ("No space left on device", "Disk quota exceeded", "file write failed")
"""safetensors and torch.save raise errors of their own for a full disk, with one of these in them."""


@contextmanager
def translated_failures(folder: Path) -> Iterator[None]:
    """Raise OutOfMemory and DiskError for what a library raises.

    Args:
        folder: where the run writes, for the message.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(_too_small("GPU", error)) from error
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskError(_full(folder)) from error
    except Exception as error:
        if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and CPU_ALLOCATOR in str(error)):
            raise OutOfMemory(_too_small("machine", error)) from error
        if any(message in str(error) for message in FULL_MESSAGES):
            raise DiskError(_full(folder)) from error
        raise


def _too_small(what: str, error: Exception) -> str:
    first = str(error).partition("\n")[0]
    return (
        f"the {what}'s memory must hold the model and a batch; lower training.batch_size or data.max_length ({first})"
    )


def _full(folder: Path) -> str:
    return f"the disk must have room for checkpoints and the model; it is full at {folder}"
