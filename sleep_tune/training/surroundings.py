"""What a run finds in its process and leaves as it was: threads, a launcher's variables, libraries' progress bars.

Knows no stream and no model.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from transformers.utils import logging

from sleep_tune.training.peers import Peers

__all__ = ["at_home", "quiet_libraries", "undistracted", "using_threads"]

LAUNCHER_VARIABLES = ("LOCAL_RANK", "RANK", "WORLD_SIZE")


@contextmanager
def at_home(threads: int | None, peers: Peers) -> Iterator[None]:
    """Everything below.

    Args:
        threads: CPU threads; None takes what the process has been given.
        peers: the processes that train the run.
    """
    with ExitStack() as stack:
        stack.enter_context(quiet_libraries())
        stack.enter_context(undistracted(peers))
        stack.enter_context(using_threads(threads))
        yield


@contextmanager
def using_threads(threads: int | None) -> Iterator[None]:
    """Compute with so many CPU threads; with None, as many as the process has been given."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def undistracted(peers: Peers) -> Iterator[None]:
    """Hide a launcher's variables from libraries when this process trains alone, or they would wrap it in DDP."""
    hidden = {name: os.environ.pop(name) for name in LAUNCHER_VARIABLES if peers.size == 1 and name in os.environ}
    try:
        yield
    finally:
        os.environ.update(hidden)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep transformers from drawing a progress bar for every file, and from warnings of what a run does on purpose.

    It warns, for one, of every checkpoint that leaves out the tied copy of a weight, as its own do.
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
