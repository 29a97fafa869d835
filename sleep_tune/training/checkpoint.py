"""Checkpoints of a run: what transformers writes, the stream's state, and a marker that is renamed into place last.

transformers writes its files one by one under their final names, so a folder is complete only if it has our marker.
Every start of a run writes to a new folder attempt-<n>: a process that outlives its search harms no later one.
Knows nothing of what is in the states.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.files import sync_folder, write_whole

__all__ = ["Checkpoint", "complete", "find_latest", "make_attempt", "remove_attempts", "remove_older"]

MARKER, STREAM = "complete.json", "stream.npz"
ATTEMPT = re.compile(r"attempt-(\d+)")
CHECKPOINT = re.compile(r"checkpoint-(\d+)")


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
    for file in folder.iterdir():
        with file.open("rb") as written:
            os.fsync(written.fileno())
    sync_folder(folder)
    write_whole(folder / MARKER, json.dumps(state) + "\n")
    sync_folder(folder.parent)


def find_latest(run: Path) -> Checkpoint | None:
    """The complete checkpoint with the most updates over all attempts; of equal ones, the last attempt's."""
    found = [
        (updates, attempt, folder)
        for attempt, parent in _numbered(run, ATTEMPT)
        for updates, folder in _numbered(parent, CHECKPOINT)
        if (folder / MARKER).is_file()
    ]
    if not found:
        return None
    updates, _, folder = max(found)
    return Checkpoint(folder, updates, json.loads((folder / MARKER).read_text(encoding="utf-8")))


def make_attempt(run: Path) -> Path:
    """Make the next free attempt-<n>, from 1."""
    number = max((number for number, _ in _numbered(run, ATTEMPT)), default=0) + 1
    folder = run / f"attempt-{number}"
    folder.mkdir(parents=True)
    return folder


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


def remove_attempts(run: Path) -> None:
    """Remove every attempt of a run that is over."""
    for _, folder in _numbered(run, ATTEMPT):
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a folder, its marker first, so that one half removed is not taken for complete.

    What cannot be removed stays: a process given up for dead may still be writing there.
    """
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def _numbered(folder: Path, name: re.Pattern[str]) -> Iterator[tuple[int, Path]]:
    """Sub-folders whose names match, with their numbers."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if match := name.fullmatch(path.name):
            yield int(match[1]), path
