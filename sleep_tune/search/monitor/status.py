"""`--status`: the screen of a search that another process runs, or that has ended, read from its folder."""

import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import ConfigError, RunFolderError, nearest
from sleep_tune.experiment.event_log import LOG
from sleep_tune.folder_lock import LOCK, Holder, read_holder
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.screen import screen
from sleep_tune.search.monitor.snapshot import read_recorded
from sleep_tune.search.space.space_path import find_space

__all__ = ["find_experiment", "show_status"]


def show_status(space: Path, overrides: Sequence[str], results: Path, console: Console) -> None:
    """Print the screen of a search.

    Args:
        space: the search space's file, the experiment's folder, or its name.
        overrides: of the space; a name among them counts.
        results: the folder of all experiments.
        console: where to print.

    Raises:
        UserError: there is no such experiment, or it cannot be read.
    """
    folder = find_experiment(space, overrides, results)
    held_by = read_holder(folder / LOCK)
    silent = max(0.0, time.time() - (folder / LOG).stat().st_mtime)  # the clock can have been set back since
    recorded = read_recorded(folder, is_driven=held_by is not None and held_by.is_alive, silent=silent)
    notes = [f"{_driver(held_by, recorded.finished)}; last event {wording.clock_time(silent)} ago"]
    console.print(screen(recorded, recorded.slots, width=console.width, notes=notes), soft_wrap=False)


def find_experiment(space: Path, overrides: Sequence[str], results: Path) -> Path:
    """Return the experiment's folder.

    Raises:
        ConfigError: the space's file is not there or cannot be read.
        RunFolderError: no experiment of that name has been started.
    """
    given = [text.partition("=")[2] for text in overrides if text.startswith("name=")]
    for folder in () if given else (space, results / space):
        if (folder / LOG).is_file():
            return folder
    names = [path.parent.name for path in results.glob(f"*/{LOG}")]
    try:
        file = find_space(space)
    except ConfigError as error:
        if space.suffix in (".yaml", ".yml"):
            raise
        raise RunFolderError(
            f"{space} must be the file of a search space, or an experiment in {results}, which holds {_have(names)}"
        ) from error
    name = str(given[-1] if given else read_yaml(file).get("name", file.stem))
    if not (results / name / LOG).is_file():
        near = nearest(name, names)
        meant = f"; did you mean {near}?" if near else ""
        raise RunFolderError(f"there is no search named {name} in {results}, which holds {_have(names)}{meant}")
    return results / name


def _have(names: Sequence[str]) -> str:
    return f"{', '.join(sorted(names)[:10])}{', ...' * (len(names) > 10)}" if names else "no search"


def _driver(held_by: Holder | None, finished: bool) -> str:
    """Return whether a process runs the search, and what to do if none does."""
    if held_by is not None and held_by.is_here and held_by.is_alive:
        return f"process {held_by.process} has run it since {held_by.since}"
    if held_by is not None and not held_by.is_here:
        locked = f"locked since {held_by.since} by process {held_by.process} on {held_by.host}"
        return f"{locked}; from here one cannot see whether that process still runs"
    if finished:
        return "finished"
    if held_by is not None:
        return f"not running: process {held_by.process} has ended; run the same command to resume"
    return "not running; run the same command to resume"
