"""The folder of one run: who may write it, which configuration it holds, and how it ended.

Holds config.yaml (every option, with its meaning), environment.json, log.txt and, at the end, outcome.json. Knows
nothing of training; what a run writes besides is training's own.
"""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sleep_tune.config.describe import to_yaml
from sleep_tune.config.environment import environment
from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.config.size import needed_bytes
from sleep_tune.config.tree import flatten, from_dict, to_dict
from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import RunFolderError, UserError
from sleep_tune.files import require_space, write_whole

__all__ = [
    "LOG",
    "MODEL",
    "WEIGHTS",
    "WORD_CHECKPOINTS",
    "claimed",
    "locked",
    "read_config",
    "read_outcome",
    "record",
    "remove_weights",
    "require_room",
    "write_outcome",
]

CONFIG, ENVIRONMENT, OUTCOME = "config.yaml", "environment.json", "outcome.json"
LOCK, LOG = ".lock", "log.txt"
METRICS = "metrics.jsonl"
"""Training's record: a folder that has it has been trained in."""

MODEL, WORD_CHECKPOINTS = "model", "checkpoints"
WEIGHTS = (MODEL, WORD_CHECKPOINTS)
"""Folders that hold what was trained; without them a run that has ended is still on record."""

IRRELEVANT = (
    "run.name",
    "run.dir",
    "data.cache_dir",
    "training.mirror",
    *(f"tracking.{field.name}" for field in dataclasses.fields(TrackingConfig)),
)
"""Options that say where things lie and who is told, and nothing of what is computed."""

LOOKS = "evaluation.rungs"
"""Where a run is looked at, which changes nothing of it: it goes on under other rungs, as another scheduler has them.

Rungs that it has passed by then are not evaluated any more: the model is no longer the one of those words.
"""


@contextlib.contextmanager
def claimed(folder: Path, config: RunConfig) -> Iterator[bool]:
    """Hold `folder` for this process and this configuration.

    A fresh run that is refused (a UserError) before it has trained leaves nothing behind, so that a mistake in the
    corpus's path, say, can be put right under the same name.

    Yields:
        Whether the folder held the run already, so that it is to be resumed.

    Raises:
        RunFolderError: another process holds the folder, or it is another configuration's.
    """
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    with locked(folder):
        resumed = record(folder, config)
        try:
            yield resumed
        except UserError:
            if not (resumed or (folder / METRICS).exists()):
                _forget(folder, made)
            raise


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process alone; the lock ends with the process, however that ends.

    Who holds it since when is written into the folder's lock file while it is held.

    On a file system without locks (some cluster mounts) nothing is held.

    Raises:
        RunFolderError: another process holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / LOCK).open("a+", encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"run.dir must be a folder that can be written; got {folder} ({error.strerror})") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise RunFolderError(f"{folder} must be written by one process; {holder} is writing it now") from None
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP):
                raise
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} (since {time.strftime('%Y-%m-%d %H:%M:%S')})\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def record(folder: Path, config: RunConfig) -> bool:
    """Write `config` and the environment into a fresh folder, or make sure that it holds this very configuration.

    Other rungs (`LOOKS`) are none, and are written down; the run's checkpoints stay good.

    Returns:
        Whether the folder held it already, so that the run is to be resumed.

    Raises:
        RunFolderError: the folder holds another configuration; the message says which options differ, and how.
    """
    if not (folder / CONFIG).exists():
        write_whole(folder / ENVIRONMENT, json.dumps(environment(), indent=2) + "\n")
        write_whole(folder / CONFIG, to_yaml(config))  # last: a folder with a configuration has all of this
        return False
    ours, theirs = _identity(config), _identity(read_config(folder))
    differing = [key for key in ours if ours[key] != theirs[key]]
    if differing == [LOOKS]:
        write_whole(folder / CONFIG, to_yaml(config))
    elif differing:
        told = "; ".join(f"{key} is {_text(theirs[key])} there, {_text(ours[key])} here" for key in differing)
        raise RunFolderError(
            f"{folder} holds a run of another configuration: {told}. Give this one a run.name of its own, "
            "or remove the folder"
        )
    return True


def read_config(folder: Path) -> RunConfig:
    """The configuration that `record` wrote.

    Raises:
        RunFolderError: it is missing, or is not one that this version can read.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise RunFolderError(f"{folder} must be the folder of a run; got no {CONFIG} in it")
    try:
        return from_dict(read_yaml(file))
    except UserError as error:
        raise RunFolderError(f"{file} must be a configuration of this version: {error}") from None


def write_outcome(folder: Path, outcome: dict[str, Any]) -> None:
    """Say that the run has ended, and how."""
    write_whole(folder / OUTCOME, json.dumps(outcome, indent=2) + "\n")


def read_outcome(folder: Path) -> dict[str, Any] | None:
    """What `write_outcome` wrote, or None while the run has not ended."""
    file = folder / OUTCOME
    if not file.is_file():
        return None
    try:
        outcome = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        outcome = None
    if not isinstance(outcome, dict):
        raise RunFolderError(f"{file} must be a JSON object; remove it, and the run will be finished again")
    return outcome


def require_room(folder: Path, config: RunConfig) -> None:
    """Refuse to start what the disk cannot hold.

    Raises:
        DiskError: too little is free where `folder` lies.
    """
    require_space(folder, needed_bytes(config), "the run's checkpoints and models", "run.dir takes a path elsewhere")


def remove_weights(folder: Path) -> None:
    """Remove the models that a run has left, so that at no moment half of one passes for whole."""
    for name in WEIGHTS:
        leaving = folder / f".{name}.removed"
        shutil.rmtree(leaving, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def _forget(folder: Path, made: list[Path]) -> None:
    """Remove what a run wrote before it trained: the folders that were `made` for it, else its files alone."""
    if folder in made:
        shutil.rmtree(folder)
        for parent in made[1:]:
            parent.rmdir()
    else:
        for name in (CONFIG, ENVIRONMENT, LOG, LOCK):
            (folder / name).unlink(missing_ok=True)


def _identity(config: RunConfig) -> dict[str, Any]:
    return {key: value for key, value in flatten(to_dict(config)).items() if key not in IRRELEVANT}


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
