"""Checkpoints of a run: what transformers writes, the stream's state, the run's record, and a marker put there last.

transformers writes its files one by one under their final names, so a folder is complete only if it has our marker. The
marker holds size and SHA-256 of every file and of itself; a checkpoint of which anything is missing, changed or added
is damaged, and the run goes back to the one before it. Every start of a run is an attempt with a folder of its own,
attempt-<n>. A later one takes the place of all before it: it takes away the file by which an attempt knows that it is
the run's writer, and goes on from one checkpoint, which it puts on record. So what an older process, given up for dead,
still writes is never read. Knows nothing of what is in the states.
"""

import contextlib
import hashlib
import json
import logging
import math
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.errors import RunFolderError, shortened
from sleep_tune.experiment.run_folder import METRICS, WEIGHTS
from sleep_tune.files import find_change, fingerprint, share_tree, sync_folder, sync_tree, write_whole

__all__ = [
    "CHECKPOINT",
    "KEPT",
    "MARKER",
    "STREAM",
    "Checkpoint",
    "complete",
    "find_latest",
    "is_writer",
    "make_attempt",
    "read",
    "remove_attempt",
    "remove_attempts",
    "remove_older",
    "remove_unfinished",
    "start_from",
    "unusable",
]

MARKER, STREAM = "complete.json", "stream.npz"
NEEDED = ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json", METRICS, STREAM)
"""Files without which a run would begin something anew."""
ATTEMPT = re.compile(r"attempt-(\d+)")
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
WRITER = "writer"
"""In an attempt's folder for as long as no later attempt has begun; names the process."""
ORIGIN = "origin.json"
"""In an attempt's folder: the checkpoint that it goes on from, relative to the run's folder; null at the beginning."""
KEPT = 2
"""Complete checkpoints that stay: the latest, and the one before it in case the latest turns out to be damaged."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint, whose files are as they were written."""

    folder: Path
    updates: int
    """Optimizer steps before it."""
    state: Mapping[str, Any]
    """What was put into its marker: plain numbers and lists."""

    def stream_state(self) -> dict[str, Any]:
        """The state of the sleep stream.

        Raises:
            RunFolderError: the file holds no arrays.
        """
        try:
            with np.load(self.folder / STREAM, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except Exception as error:  # nothing but numpy's reader of a file that may hold anything
            raise unusable(self.folder, STREAM, error) from error

    def record(self) -> bytes:
        """The run's lines, metrics.jsonl, as they stood."""
        return (self.folder / METRICS).read_bytes()


def complete(folder: Path, stream_state: Mapping[str, Any], state: Mapping[str, Any], record: bytes) -> None:
    """Add our states to a folder that transformers has filled, wait for the disk, and mark the folder complete.

    Args:
        folder: attempt-<n>/checkpoint-<updates>.
        stream_state: arrays and plain numbers.
        state: JSON-able; comes back as `Checkpoint.state`.
        record: the run's lines so far.
    """
    np.savez(folder / STREAM, **stream_state)
    (folder / METRICS).write_bytes(record)
    share_tree(folder)
    sync_tree(folder)
    content = {"files": {path.name: fingerprint(path) for path in sorted(folder.iterdir())}, "state": state}
    write_whole(folder / MARKER, json.dumps(content | {"sha256": _digest(content)}) + "\n")
    sync_folder(folder.parent)


def read(folder: Path) -> Checkpoint:
    """A checkpoint that has its marker, once every file was found to be as it was written.

    Raises:
        RunFolderError: it is damaged; the message names the file and says what is wrong.
    """
    files, state = _read_marker(folder)
    if missing := [name for name in NEEDED if name not in files]:
        raise _damaged(folder, f"{MARKER} does not name {missing[0]}")
    try:
        for path in sorted(folder.iterdir()):
            if path.name not in files and path.name != MARKER and not path.name.startswith("."):
                raise _damaged(folder, f"{path.name} is not one of its files")
    except OSError as error:
        raise _damaged(folder, f"{error.filename} cannot be read ({error.strerror})") from None
    change = find_change(folder, files)
    if change is not None:
        raise _damaged(folder, change)
    return Checkpoint(folder, int(folder.name.removeprefix("checkpoint-")), state)


def unusable(folder: Path, what: str, error: Exception) -> RunFolderError:
    """Of a checkpoint that is as its marker says, and yet cannot be resumed from.

    Args:
        folder: the checkpoint's.
        what: a file or a part of it.
        error: what came of reading it.
    """
    told = shortened(f"{type(error).__name__}: {error}", 200)
    return RunFolderError(
        f"{folder} must be a checkpoint of this version and this run; {what} cannot be used ({told}): remove it to go "
        f"back to the one before it, or {folder.parent.parent}/attempt-* to train the run again"
    )


def find_latest(run: Path) -> Checkpoint | None:
    """Where the run stands: the last attempt's furthest complete checkpoint, else the one that it went on from.

    A damaged one is warned of, and the one before it is used. What earlier attempts have written since a later one went
    on is not looked at: the record of the run has gone on without them.

    Returns:
        None if the run is to begin at its beginning.

    Raises:
        RunFolderError: all that are left are damaged, or the one that the run went on from is gone.
    """
    damage: str | None = None
    for folder in _lineage(run):
        try:
            return read(folder)
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
        _logger.warning("%s has no %s: it was not completed, and the run begins anew", folder, MARKER)
    return None


def make_attempt(run: Path) -> Path:
    """Make the next free attempt-<n>, from 1, and take the run over from every attempt before it."""
    earlier = _numbered(run, ATTEMPT)
    number = max((number for number, _ in earlier), default=0) + 1
    folder = run / f"attempt-{number}"
    folder.mkdir(parents=True)
    write_whole(folder / WRITER, f"process {os.getpid()} on {socket.gethostname()}\n")
    for _, attempt in earlier:
        (attempt / WRITER).unlink(missing_ok=True)
    return folder


def start_from(attempt: Path, origin: Checkpoint | None) -> None:
    """Put on record which checkpoint an attempt goes on from; None: it begins at the beginning."""
    named = None if origin is None else str(origin.folder.relative_to(attempt.parent))
    write_whole(attempt / ORIGIN, json.dumps(named) + "\n")


def is_writer(attempt: Path) -> bool:
    """Whether no later attempt has begun, and nobody has removed this one. Costs one look at a file's name."""
    return (attempt / WRITER).exists()


def remove_older(latest: Path) -> None:
    """Once `latest` is complete, remove what is older than the one before it, of this attempt and of earlier ones.

    A later attempt, if this process has been given up for dead, is not touched.
    """
    run, ours = latest.parent.parent, int(latest.parent.name.removeprefix("attempt-"))
    kept = list(islice(_lineage(run, ours), KEPT))
    for number, attempt in _numbered(run, ATTEMPT):
        if number < ours and attempt not in (folder.parent for folder in kept):
            _remove(attempt)
        elif number <= ours:
            for _, folder in _numbered(attempt, CHECKPOINT):
                if folder not in kept:
                    _remove(folder)


def remove_unfinished(attempt: Path) -> None:
    """Remove what a failed attempt was writing; its folder too, if it was taken away and transformers made it anew.

    Its complete checkpoints stay: a later attempt may have gone on from one of them.
    """
    for _, folder in _numbered(attempt, CHECKPOINT):
        if not (folder / MARKER).is_file():
            _remove(folder)
    for name in WEIGHTS:
        shutil.rmtree(attempt / name, ignore_errors=True)
    with contextlib.suppress(OSError):
        attempt.rmdir()


def remove_attempt(attempt: Path) -> None:
    """Remove an attempt that could not begin."""
    _remove(attempt)


def remove_attempts(run: Path) -> None:
    """Remove every attempt of a run that is over; the last one first, so that none has lost what it went on from."""
    for _, folder in reversed(_numbered(run, ATTEMPT)):
        _remove(folder)


def _lineage(run: Path, last: float = math.inf) -> Iterator[Path]:
    """Complete checkpoints in the order in which a run goes back to them, from the furthest of attempt `last`."""
    furthest = math.inf
    for number, attempt in reversed(_numbered(run, ATTEMPT)):
        if number > last:
            continue
        for updates, folder in reversed(_numbered(attempt, CHECKPOINT)):
            if updates <= furthest and (folder / MARKER).is_file():
                yield folder
        origin = _origin(attempt)
        if origin is not None:
            last, furthest = origin


def _origin(attempt: Path) -> tuple[int, int] | None:
    """Number and updates of the attempt and the checkpoint that this one went on from; zeros are the run's beginning.

    None if it ended before it put that on record.

    Raises:
        RunFolderError: the file is not as an attempt writes it.
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
            f"{file} must name the checkpoint that the attempt went on from, such as attempt-1/checkpoint-20, or be "
            f"null; remove {attempt} to go back to what earlier attempts have saved"
        )
    return int(named[1]), int(named[2])


def _lost_origin(run: Path) -> str | None:
    """What is to be said if the run went on from a checkpoint that is gone, and has none since."""
    for _, attempt in reversed(_numbered(run, ATTEMPT)):
        origin = _origin(attempt)
        if origin is not None:
            return (
                f"{attempt} went on from attempt-{origin[0]}/checkpoint-{origin[1]}, which is gone"
                if any(origin)
                else None
            )
    return None


def _read_marker(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fingerprints of files, and the state, that a marker holds."""
    try:
        content = json.loads((folder / MARKER).read_bytes())
        files, state, digest = content.pop("files"), content.pop("state"), content.pop("sha256")
        if content or digest != _digest({"files": files, "state": state}):
            raise ValueError("its SHA-256 differs")
        if not isinstance(state, dict):
            raise TypeError("its state is no mapping")
        for then in files.values():
            if set(then) != {"bytes", "sha256"} or not isinstance(then["bytes"], int):
                raise ValueError("it does not name the size and the SHA-256 of every file")
    except KeyError as error:
        if "journal_bytes" in content:
            raise _damaged(folder, "an earlier version wrote it, which kept no SHA-256 of its files") from None
        raise _damaged(folder, f"{MARKER} has no {error}") from None
    except (ValueError, TypeError, AttributeError, RecursionError, OSError) as error:
        raise _damaged(folder, f"{MARKER} is not what was written ({shortened(str(error))})") from None
    return files, state


def _damaged(folder: Path, what: str) -> RunFolderError:
    return RunFolderError(f"{folder} is damaged: {what}")


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _remove(folder: Path) -> None:
    """Remove a folder, first what makes it count, so that one half removed is not taken for whole.

    What cannot be removed stays: a process given up for dead may still be writing there.
    """
    for name in (MARKER, WRITER, ORIGIN):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _numbered(folder: Path, name: re.Pattern[str]) -> list[tuple[int, Path]]:
    """Sub-folders whose names match, in the order of their numbers."""
    found: Iterator[Path] = folder.iterdir() if folder.is_dir() else iter(())
    return sorted((int(match[1]), path) for path in found if (match := name.fullmatch(path.name)))


_logger = logging.getLogger(__name__)
