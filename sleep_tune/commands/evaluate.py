"""Score a model on BabyLM's tasks: `sleep-tune evaluate MODEL --data evaluation_data/fast_eval`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sleep_tune.commands.evaluate_arguments import parse_arguments
from sleep_tune.interrupts import current

if TYPE_CHECKING:
    from rich.progress import Progress


def main(arguments: Sequence[str]) -> int:
    """Parse the arguments, run the requested tasks, print the results, and return 0."""
    options = parse_arguments(arguments)
    current().farewell = "tasks whose files are not written yet are lost: run the same command again"
    # transformers reads these when it is imported: its bars and advice would mix with our output.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from sleep_tune.console import PlainConsole
    from sleep_tune.evaluate.extra_tasks import run_extra_tasks
    from sleep_tune.evaluate.zero_shot import run_zero_shot
    from sleep_tune.training.hardware import find_device

    run = run_extra_tasks if options.glue or options.aoa or options.submission else run_zero_shot
    with _progress() as progress:
        output = list(run(options, find_device(options.device, "--device"), progress))
    console = PlainConsole(soft_wrap=True)
    for part in output:
        console.print(part, highlight=False)
    return 0


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Show progress bars on standard error if it is a terminal, and remove them at the end."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress
