"""Process-wide settings during training, restored afterwards: threads, a launcher's variables, libraries' output.

Memory of the GPU that torch keeps for the process's next run is given back, since others may share the GPU.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers.utils import logging

from sleep_tune.training.process_group import ProcessGroup

__all__ = ["hidden_launcher", "quiet_libraries", "training_environment", "using_threads"]

LAUNCHER_VARIABLES = ("LOCAL_RANK", "RANK", "WORLD_SIZE")


@contextmanager
def training_environment(threads: int | None, processes: ProcessGroup) -> Iterator[None]:
    """Apply all settings of this module for the duration of a block.

    Args:
        threads: CPU threads, >= 1; None leaves their number.
        processes: the group that trains the run.
    """
    with ExitStack() as stack:
        stack.callback(torch.cuda.empty_cache)  # does nothing in a process that has not used a GPU
        stack.enter_context(quiet_libraries())
        stack.enter_context(hidden_launcher(processes))
        stack.enter_context(using_threads(threads))
        yield


@contextmanager
def using_threads(threads: int | None) -> Iterator[None]:
    """Compute with that many CPU threads; None leaves their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def hidden_launcher(processes: ProcessGroup) -> Iterator[None]:
    """Hide a launcher's variables when this process trains alone: transformers would wrap the model in DDP."""
    hidden = {name: os.environ.pop(name) for name in LAUNCHER_VARIABLES if processes.size == 1 and name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Turn off transformers' progress bars and its warnings.

    It warns, for example, of every checkpoint that leaves out the copy of a tied weight, as its own do.
    """
    library: Any = logging
    shown, verbosity = library.is_progress_bar_enabled(), library.get_verbosity()
    library.disable_progress_bar()
    library.set_verbosity_error()
    try:
        yield
    finally:
        library.set_verbosity(verbosity)
        if shown:
            library.enable_progress_bar()
