"""What a run finds in its process and leaves as it was: threads, a launcher's variables, libraries' progress bars."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers.utils import logging

from sleep_tune.training.peers import Peers

__all__ = ["quiet_libraries", "undistracted", "using_threads"]

LAUNCHER_VARIABLES = ("LOCAL_RANK", "RANK", "WORLD_SIZE")


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
    """Keep transformers from drawing a progress bar for every file that it writes."""
    bars: Any = logging
    shown = bars.is_progress_bar_enabled()
    bars.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            bars.enable_progress_bar()
