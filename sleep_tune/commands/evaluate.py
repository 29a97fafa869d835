"""Score a model on BabyLM's tasks: `sleep-tune evaluate MODEL --data evaluation_data/fast_eval`."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from sleep_tune.commands.evaluate_arguments import parse_arguments
from sleep_tune.interrupts import current

if TYPE_CHECKING:
    from rich.progress import Progress


SILENCE = 30.0
"""Seconds between lines of progress where standard error is no terminal."""


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
    console = PlainConsole(soft_wrap=True)
    with _progress() as progress:
        for part in run(options, find_device(options.device, "--device"), progress):
            with _hidden(progress):
                console.print(part, highlight=False)
                sys.stdout.flush()
    return 0


@contextmanager
def _progress() -> "Iterator[Progress]":
    """Show progress bars on standard error if it is a terminal, else a line every `SILENCE` seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    quiet = not console.is_terminal
    # What is printed goes to standard output, which may be a file: not through the console of the bars.
    with Progress(*columns, console=console, transient=True, redirect_stdout=False, disable=quiet) as progress:
        ended = Event()
        lines = Thread(target=_print_lines, args=(progress, ended), daemon=True)
        if quiet:
            lines.start()
        try:
            yield progress
        finally:
            ended.set()
            if quiet:
                lines.join()


@contextmanager
def _hidden(progress: "Progress") -> Iterator[None]:
    """Take the bars, if there are any, from the terminal for what is printed there."""
    if progress.disable:  # stop would print an empty line
        yield
        return
    progress.stop()
    yield
    progress.start()


def _print_lines(progress: "Progress", ended: Event) -> None:
    """Print what is being done, and how much of it is, until the work has ended."""
    from sleep_tune.console import PlainConsole

    console = PlainConsole(stderr=True, soft_wrap=True)
    while not ended.wait(SILENCE):
        for task in progress.tasks:
            if not task.finished:
                share = f"{task.percentage:.0f}%" if task.total else "begun"
                console.print(f"{task.description}: {share}", highlight=False)
