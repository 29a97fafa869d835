"""Checkpoints of a run: what transformers writes, the stream's state, and a marker that is renamed into place last.

transformers writes its files one by one under their final names, so a folder is complete only if it has our marker.
Every start of a run is an attempt with a folder of its own, attempt-<n>. A later one takes the place of all before it:
it takes away the file by which an attempt knows that it is the run's writer, and goes on from one checkpoint, which it
puts on record. So what an older process, given up for dead, still writes is never read. Knows nothing of what is in
the states.
"""

import contextlib
import json
import os
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.config.run_folder import WEIGHTS
from sleep_tune.files import sync_folder, sync_tree, write_whole

__all__ = [
    "CHECKPOINT",
    "MARKER",
    "Checkpoint",
    "complete",
    "find_latest",
    "is_writer",
    "make_attempt",
    "remove_attempts",
    "remove_older",
    "remove_unfinished",
    "start_from",
]

MARKER, STREAM = "complete.json", "stream.npz"
ATTEMPT = re.compile(r"attempt-(\d+)")
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
WRITER = "writer"
"""In an attempt's folder for as long as no later attempt has begun; names the process."""
ORIGIN = "origin.json"
"""In an attempt's folder: the checkpoint that it goes on from, relative to the run's folder; null at the beginning."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint."""

    folder: Path
    updates: int
    """Optimizer steps before it."""
    state: Mapping[str, Any]
    """What was put into its marker: plain numbers and lists."""

    def stream_state(self) -> dict[str, Any]:
        """The state of the sleep stream."""
        with np.load(self.folder / STREAM, allow_pickle=False) as arrays:
            return {key: arrays[key] for key in arrays.files}


def complete(folder: Path, stream_state: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Add our states to a folder that transformers has filled, wait for the disk, and mark the folder complete.

    Args:
        folder: attempt-<n>/checkpoint-<updates>.
        stream_state: arrays and plain numbers.
        state: JSON-able; comes back as `Checkpoint.state`.
    """
    np.savez(folder / STREAM, **stream_state)
    sync_tree(folder)
    write_whole(folder / MARKER, json.dumps(state) + "\n")
    sync_folder(folder.parent)


def find_latest(run: Path) -> Checkpoint | None:
    """Where the run stands: the last attempt's furthest complete checkpoint, else the one that it went on from.

    What attempts before it have written since is not looked at: the record of the run has gone on without them.
    """
    for _, attempt in reversed(_numbered(run, ATTEMPT)):
        whole = [(updates, folder) for updates, folder in _numbered(attempt, CHECKPOINT) if (folder / MARKER).is_file()]
        if whole:
            return _read(whole[-1][1])
        if (attempt / ORIGIN).is_file():
            origin = json.loads((attempt / ORIGIN).read_text(encoding="utf-8"))
            if origin is None or (run / origin / MARKER).is_file():
                return None if origin is None else _read(run / origin)
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
    told = None if origin is None else str(origin.folder.relative_to(attempt.parent))
    write_whole(attempt / ORIGIN, json.dumps(told) + "\n")


def is_writer(attempt: Path) -> bool:
    """Whether no later attempt has begun, and nobody has removed this one. Costs one look at a file's name."""
    return (attempt / WRITER).exists()


def remove_older(latest: Path) -> None:
    """Once `latest` is complete, remove the checkpoints before it, of this attempt and of earlier ones.

    A later attempt, if this process has been given up for dead, is not touched.
    """
    attempt = latest.parent
    for _, folder in _numbered(attempt, CHECKPOINT):
        if folder != latest:
            _remove(folder)
    ours = int(attempt.name.removeprefix("attempt-"))
    for number, folder in _numbered(attempt.parent, ATTEMPT):
        if number < ours:
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


def remove_attempts(run: Path) -> None:
    """Remove every attempt of a run that is over."""
    for _, folder in _numbered(run, ATTEMPT):
        _remove(folder)


def _read(folder: Path) -> Checkpoint:
    updates = int(folder.name.removeprefix("checkpoint-"))
    return Checkpoint(folder, updates, json.loads((folder / MARKER).read_text(encoding="utf-8")))


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
