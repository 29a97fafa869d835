"""`--status`: the screen of a search that another process is running, or that has ended, from its folder alone.

Finds the folder, says whether anyone drives it, and draws it once.
"""

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

__all__ = ["find", "show"]


def show(space: Path, overrides: Sequence[str], results: Path, console: Console) -> None:
    """Print the screen of a search.

    Args:
        space: the search space's file, the experiment's folder, or its name.
        overrides: of the space; a name among them counts.
        results: the folder that holds the experiment's.
        console: where to print.

    Raises:
        UserError: there is no such experiment, or it cannot be read.
    """
    folder = find(space, overrides, results)
    held_by = read_holder(folder / LOCK)
    silent = max(0.0, time.time() - (folder / LOG).stat().st_mtime)  # the clock can have been set back since
    recorded = read_recorded(folder, is_driven=held_by is not None and held_by.is_alive, silent=silent)
    notes = [f"{_who(held_by, recorded.finished)}; last event {wording.duration(silent)} ago"]
    console.print(screen(recorded, recorded.slots, width=console.width, notes=notes), soft_wrap=False)


def find(space: Path, overrides: Sequence[str], results: Path) -> Path:
    """The experiment's folder.

    Raises:
        ConfigError: the space's file is not there or cannot be read.
        RunFolderError: no experiment of that name has been started.
    """
    for folder in (space, results / space):
        if (folder / LOG).is_file():
            return folder
    names = [path.parent.name for path in results.glob(f"*/{LOG}")]
    if space.is_dir() or not (space.is_file() or space.suffix in (".yaml", ".yml")):
        raise RunFolderError(f"{space} must be a search space's file or an experiment in {results}; {_have(names)}")
    if not space.is_file():
        raise ConfigError(f"{space}: there is no such file")
    told = read_yaml(space).get("name", space.stem)
    given = [text.partition("=")[2] for text in overrides if text.startswith("name=")]
    name = str(given[-1] if given else told)
    if not (results / name / LOG).is_file():
        near = nearest(name, names)
        meant = f"; did you mean {near}?" if near else ""
        raise RunFolderError(f"no search named {name} has been started in {results}; {_have(names)}{meant}")
    return results / name


def _have(names: Sequence[str]) -> str:
    return f"it has {', '.join(sorted(names)[:10])}{', ...' * (len(names) > 10)}" if names else "it has none"


def _who(held_by: Holder | None, finished: bool) -> str:
    """Whether anyone is running the search."""
    if held_by is not None and held_by.is_here and held_by.is_alive:
        return f"process {held_by.process} runs it since {held_by.since}"
    if held_by is not None and not held_by.is_here:
        return f"process {held_by.process} on {held_by.host} holds it since {held_by.since}, alive or not"
    if finished:
        return "nothing is left to do"
    if held_by is not None:
        return f"process {held_by.process}, which ran it, is dead (its command goes on)"
    return "nobody runs it (its command goes on)"
