"""Processes for tests of training, forked from one that has loaded the libraries: they start in milliseconds."""

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from typing import Any

__all__ = ["start_process"]

CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.training.runs", "sleep_tune.training.run", "pytest", "hypothesis"])


def start_process(function: Callable[..., None], *arguments: Any) -> ForkServerProcess:
    """Call a function of a test's module in a process of its own.

    Args:
        function: found by its name, so neither a lambda nor a local function.
        *arguments: picklable.
    """
    process = CONTEXT.Process(target=function, args=arguments)
    process.start()
    return process
