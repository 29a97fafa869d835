"""One checkpoint of a run: the Trainer's files, the stream's state, the journal, and a marker that is written last.

transformers writes its files one by one under their final names, so a folder is a complete checkpoint only if it has
our marker. The marker holds the size and SHA-256 of every file and of itself: a checkpoint in which anything is
missing, changed or added is damaged, and is not used.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.errors import RunFolderError, shortened
from sleep_tune.experiment.run_folder import METRICS
from sleep_tune.files import find_change, fingerprint, share_tree, sync_folder, sync_tree, write_whole

__all__ = [
    "CHECKPOINT",
    "MARKER",
    "STREAM",
    "Checkpoint",
    "complete_checkpoint",
    "is_complete",
    "read_checkpoint",
    "unusable_checkpoint",
]

MARKER, STREAM = "complete.json", "stream.npz"
NEEDED = ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json", METRICS, STREAM)
"""Files that every checkpoint must have; without one, the resumed run would not be the same."""
CHECKPOINT = re.compile(r"checkpoint-(\d+)")
"""Name of a checkpoint's folder; the number is the updates before it."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A complete checkpoint whose files are as they were written."""

    folder: Path
    """attempt-<n>/checkpoint-<updates>."""
    updates: int
    """Optimizer steps before it."""
    state: Mapping[str, Any]
    """What was put into its marker: plain numbers and lists."""

    def stream_state(self) -> dict[str, Any]:
        """Return the state of the sleep stream, as arrays.

        Raises:
            RunFolderError: the file holds no arrays.
        """
        try:
            with np.load(self.folder / STREAM, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except Exception as error:  # numpy may raise anything on a file with any content
            raise unusable_checkpoint(self.folder, STREAM, error) from error

    def journal(self) -> bytes:
        """Return the content of metrics.jsonl when the checkpoint was written."""
        return (self.folder / METRICS).read_bytes()


def complete_checkpoint(
    folder: Path, stream_state: Mapping[str, Any], state: Mapping[str, Any], journal: bytes
) -> None:
    """Add our states to a folder that transformers has filled, sync it to the disk, and mark it complete.

    Args:
        folder: attempt-<n>/checkpoint-<updates>.
        stream_state: arrays and plain numbers.
        state: JSON-able; comes back as `Checkpoint.state`.
        journal: the content of metrics.jsonl so far.
    """
    np.savez(folder / STREAM, **stream_state)
    (folder / METRICS).write_bytes(journal)
    share_tree(folder)
    sync_tree(folder)
    content = {"files": {path.name: fingerprint(path) for path in sorted(folder.iterdir())}, "state": state}
    write_whole(folder / MARKER, json.dumps(content | {"sha256": _digest(content)}) + "\n")
    sync_folder(folder.parent)


def is_complete(folder: Path) -> bool:
    """Return whether a checkpoint has its marker, without reading it."""
    return (folder / MARKER).is_file()


def read_checkpoint(folder: Path) -> Checkpoint:
    """Return a complete checkpoint, once every file was found to be as it was written.

    Raises:
        RunFolderError: it is damaged; the message names the file and says what is wrong with it.
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


def unusable_checkpoint(folder: Path, what: str, error: Exception) -> RunFolderError:
    """Return the error for a checkpoint that matches its marker but cannot be resumed from.

    Args:
        folder: the checkpoint's.
        what: a file or a part of it.
        error: raised as it was read.
    """
    reason = shortened(f"{type(error).__name__}: {error}", 200)
    return RunFolderError(
        f"{folder} must be a checkpoint of this version and this run; {what} cannot be used ({reason}): remove it to "
        f"resume from the one before it, or {folder.parent.parent}/attempt-* to train the run again"
    )


def _read_marker(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fingerprints of files and the state that a marker holds."""
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
