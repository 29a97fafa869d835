"""The task folders below a folder of BabyLM's evaluation data."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.data_protocol import find_folder
from sleep_tune.errors import DataError, unknown

__all__ = ["find_task_folders"]


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
        raise DataError(
            f"{data} must be a folder of tasks, such as evaluation_data/fast_eval; there is no such folder "
            "(BabyLM's data is downloaded by babylm-org/babylm-eval, in its folder strict)"
        )
    found = {name: path for name in names if (path := find_folder(data, name)) is not None}
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
