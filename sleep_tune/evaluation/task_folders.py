"""The task folders below a folder of BabyLM's evaluation data."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.protocols import NEWEST, PROTOCOLS, Protocol
from sleep_tune.errors import DataError, unknown

__all__ = ["AUTO_PROTOCOL", "find_task_folders", "folders_of_other_protocols", "protocol_of_data"]

AUTO_PROTOCOL = "auto"
"""Stands for the protocol that the data's folders belong to."""


def protocol_of_data(data: Path, given: str = AUTO_PROTOCOL) -> Protocol:
    """Return the protocol by which a folder of evaluation data is scored.

    Args:
        data: such as evaluation_data/fast_eval.
        given: a year of PROTOCOLS, which is returned whatever the data; or AUTO_PROTOCOL: the one protocol that alone
            has some of the data's folders (2025: wug_past_tense), or NEWEST if all of them are of several protocols.

    Raises:
        DataError: AUTO_PROTOCOL, and the data has folders of two protocols that no other one has.
    """
    if given != AUTO_PROTOCOL:
        return PROTOCOLS[given]
    found = {}
    for protocol in PROTOCOLS.values():
        others = {name for other in PROTOCOLS.values() if other is not protocol for name in other.folders}
        if own := [name for name in protocol.folders if name not in others and _find_folder(data, name)]:
            found[protocol.year] = own
    if len(found) > 1:
        each = "; ".join(f"{', '.join(names)} of {year}" for year, names in found.items())
        raise DataError(f"{data} must hold folders of one protocol; it holds {each}: choose one with --protocol")
    return PROTOCOLS[next(iter(found), NEWEST)]


def folders_of_other_protocols(data: Path, protocol: Protocol) -> list[str]:
    """Return the names of the folders in a folder of evaluation data that only other years' protocols have."""
    return [name for name in FOLDERS if name not in protocol.folders and _find_folder(data, name)]


def _find_folder(data: Path, name: str) -> Path | None:
    """Return the path of a task's folder, or else of a zip of it; None if there is neither."""
    folder, archive = data / name, data / f"{name}.zip"
    if folder.is_dir():
        return folder
    return archive if archive.is_file() else None


def find_task_folders(data: Path, known: Iterable[str], only: Sequence[str] = ()) -> dict[str, Path]:
    """Return the task folders, or zips of them, in a folder of evaluation data.

    Args:
        data: such as evaluation_data/fast_eval.
        known: names of folders to look for, in the order in which they are returned.
        only: return only these: names of folders (blimp_fast), or of tasks (blimp), of which any folder counts. Empty:
            return all that exist.

    Returns:
        Folder's name -> its path; a folder is preferred to a zip of the same name.

    Raises:
        DataError: `data` is not a folder, or holds none of the tasks, or not one of `only`.
    """
    names = tuple(known)
    if not data.is_dir():
        raise DataError(f"{data} must be a folder of tasks, such as evaluation_data/fast_eval; there is no such folder")
    found = {name: path for name in names if (path := _find_folder(data, name)) is not None}
    if not found:
        inside = f"{data} is one of them: did you mean {data.parent}?" if data.name in names else "it holds none"
        raise DataError(f"{data} must hold at least one task's folder (or zip): {', '.join(names)}; {inside}")
    if not only:
        return found
    tasks = {FOLDERS[name] for name in names if name in FOLDERS}
    wanted = set()
    for task in only:
        if task not in names and task not in tasks:
            raise DataError(unknown("task", task, {*names, *tasks}))
        chosen = {name for name in found if task in (name, FOLDERS.get(name))}
        if not chosen:
            raise DataError(f"{data} must hold {task}, one of the given tasks; it holds {', '.join(found)}")
        wanted |= chosen
    return {name: path for name, path in found.items() if name in wanted}
