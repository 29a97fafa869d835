"""The attempts of a run: which one may write, where the next one resumes, and which checkpoints are removed.

Every start of a run is an attempt with a folder of its own, attempt-<n>. A new attempt replaces all before it: it
removes the file that marks the earlier attempt as the writer of the run, and it records the checkpoint that it resumes
from. So files that an older process, presumed lost, still writes are never read.
"""

import contextlib
import json
import logging
import math
import os
import re
import shutil
import socket
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.run_folder import WEIGHTS
from sleep_tune.files import write_whole
from sleep_tune.training.checkpoint import CHECKPOINT, MARKER, Checkpoint, is_complete, read_checkpoint

__all__ = [
    "KEPT",
    "find_latest",
    "is_writer",
    "make_attempt",
    "record_origin",
    "remove_attempts",
    "remove_folder",
    "remove_older",
    "remove_unfinished",
]

ATTEMPT = re.compile(r"attempt-(\d+)")
WRITER = "writer"
"""File in an attempt's folder until a later attempt begins; names the process."""
ORIGIN = "origin.json"
"""File in an attempt's folder: the checkpoint it resumed from, relative to the run's folder; null if from none."""
KEPT = 2
"""Complete checkpoints that are kept: the latest, and the one before it in case the latest turns out to be damaged."""


def make_attempt(run: Path) -> Path:
    """Make the next free folder attempt-<n>, from 1, and take the run over from every attempt before it."""
    earlier = _numbered(run, ATTEMPT)
    number = max((number for number, _ in earlier), default=0) + 1
    folder = run / f"attempt-{number}"
    folder.mkdir(parents=True)
    write_whole(folder / WRITER, f"process {os.getpid()} on {socket.gethostname()}\n")
    for _, attempt in earlier:
        (attempt / WRITER).unlink(missing_ok=True)
    return folder


def record_origin(attempt: Path, origin: Checkpoint | None) -> None:
    """Record the checkpoint that an attempt resumes from; None if it begins at the beginning."""
    named = None if origin is None else str(origin.folder.relative_to(attempt.parent))
    write_whole(attempt / ORIGIN, json.dumps(named) + "\n")


def is_writer(attempt: Path) -> bool:
    """Return whether no later attempt has begun and this one has not been removed. Costs one look at a file's name."""
    return (attempt / WRITER).exists()


def find_latest(run: Path) -> Checkpoint | None:
    """Return the checkpoint to resume from: the last attempt's furthest complete one, else the one it resumed from.

    A damaged checkpoint is logged as a warning, and the one before it is used. What an earlier attempt has written
    after a later one resumed is not considered.

    Returns:
        None if the run is to begin at its beginning.

    Raises:
        RunFolderError: all that are left are damaged, or the one that the run resumed from is gone.
    """
    damage: str | None = None
    for folder in _lineage(run):
        try:
            return read_checkpoint(folder)
        except RunFolderError as error:
            _logger.warning("%s; the one before it is used if there is one", error)
            damage = damage or str(error)
    damage = damage or _lost_origin(run)
    if damage is not None:
        raise RunFolderError(
            f"{damage}, and no other checkpoint is left: remove {run}/attempt-* to train the run again from its "
            "beginning"
        )
    for folder in run.glob("attempt-*/checkpoint-*"):
        _logger.warning("%s has no %s: it was not completed, and the run begins again", folder, MARKER)
    return None


def remove_older(latest: Path) -> None:
    """Once `latest` is complete, remove all but `KEPT` checkpoints of its attempt and of earlier ones.

    Later attempts are not touched: there are some if this process was presumed lost.
    """
    run, ours = latest.parent.parent, int(latest.parent.name.removeprefix("attempt-"))
    kept = list(islice(_lineage(run, ours), KEPT))
    for number, attempt in _numbered(run, ATTEMPT):
        if number < ours and attempt not in (folder.parent for folder in kept):
            remove_folder(attempt)
        elif number <= ours:
            for _, folder in _numbered(attempt, CHECKPOINT):
                if folder not in kept:
                    remove_folder(folder)


def remove_unfinished(attempt: Path) -> None:
    """Remove what a failed attempt was writing, and its folder if that is then empty.

    Its complete checkpoints stay: a later attempt may have resumed from one of them.
    """
    for _, folder in _numbered(attempt, CHECKPOINT):
        if not is_complete(folder):
            remove_folder(folder)
    for name in WEIGHTS:
        shutil.rmtree(attempt / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        attempt.rmdir()


def remove_attempts(run: Path) -> None:
    """Remove every attempt of a run that is over; the last one first, so that none loses the one it resumed from."""
    for _, folder in reversed(_numbered(run, ATTEMPT)):
        remove_folder(folder)


def _lineage(run: Path, last: float = math.inf) -> Iterator[Path]:
    """Yield complete checkpoints in the order in which a run falls back to them, from attempt `last` on."""
    furthest = math.inf
    for number, attempt in reversed(_numbered(run, ATTEMPT)):
        if number > last:
            continue
        for updates, folder in reversed(_numbered(attempt, CHECKPOINT)):
            if updates <= furthest and is_complete(folder):
                yield folder
        origin = _origin(attempt)
        if origin is not None:
            last, furthest = origin


def _origin(attempt: Path) -> tuple[int, int] | None:
    """Return the numbers of the attempt and the checkpoint that this one resumed from; zeros for the run's beginning.

    None if the attempt ended before it recorded that.

    Raises:
        RunFolderError: the file has not the form that an attempt writes.
    """
    file = attempt / ORIGIN
    if not file.is_file():
        return None
    try:
        origin = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        origin = False
    if origin is None:
        return 0, 0
    named = re.fullmatch(rf"{ATTEMPT.pattern}/{CHECKPOINT.pattern}", origin) if isinstance(origin, str) else None
    if named is None:
        raise RunFolderError(
            f"{file} must name the checkpoint that the attempt resumed from, such as attempt-1/checkpoint-20, or be "
            f"null; remove {attempt} to resume from the checkpoints of earlier attempts"
        )
    return int(named[1]), int(named[2])


def _lost_origin(run: Path) -> str | None:
    """Return a message if the run resumed from a checkpoint that is gone, and has none since."""
    for _, attempt in reversed(_numbered(run, ATTEMPT)):
        origin = _origin(attempt)
        if origin is not None:
            return (
                f"{attempt} resumed from attempt-{origin[0]}/checkpoint-{origin[1]}, which is gone"
                if any(origin)
                else None
            )
    return None


def remove_folder(folder: Path) -> None:
    """Remove the folder of an attempt or a checkpoint.

    The files that make it count go first, so that a half-removed folder is not read as a whole one.

    What cannot be removed stays: a process that was presumed lost may still be writing there.
    """
    for name in (MARKER, WRITER, ORIGIN):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _numbered(folder: Path, name: re.Pattern[str]) -> list[tuple[int, Path]]:
    """Return the sub-folders whose names match, with their numbers, in that order."""
    found: Iterator[Path] = folder.iterdir() if folder.is_dir() else iter(())
    return sorted((int(match[1]), path) for path in found if (match := name.fullmatch(path.name)))


_logger = logging.getLogger(__name__)
