"""The folder of one run: who may write it, which configuration it holds, and how it ended.

Holds config.yaml (every option, with its meaning), environment.json, log.txt and, at the end, outcome.json. Knows
nothing of training; what a run writes besides is training's own.
"""

import contextlib
import dataclasses
import json
import os
import shutil
import typing
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.config.describe import to_yaml
from sleep_tune.config.environment import environment
from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.config.size import needed_bytes
from sleep_tune.config.tree import flatten, from_dict, to_dict
from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import RunFolderError, UserError, shortened, unknown
from sleep_tune.files import require_space, write_whole
from sleep_tune.folder_lock import FolderLock
from sleep_tune.records import Outcome, is_count, is_number

__all__ = [
    "CONFIG",
    "LOG",
    "METRICS",
    "MODEL",
    "WEIGHTS",
    "WORD_CHECKPOINTS",
    "claimed",
    "defining_options",
    "differences",
    "read_config",
    "read_outcome",
    "record",
    "remove_weights",
    "require_room",
    "write_outcome",
]

CONFIG, ENVIRONMENT, OUTCOME = "config.yaml", "environment.json", "outcome.json"
LOG = "log.txt"
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
    "training.threads",
    "training.checkpoint_ratio",
    "training.checkpoint_minutes",
    *(f"tracking.{field.name}" for field in dataclasses.fields(TrackingConfig)),
)
"""Options that say where files lie, how often a run is saved, which trackers it reports to and how fast it trains.

None of them changes what is computed, so each may change when a run is resumed.

Another number of threads adds numbers in another order: the run is the same up to rounding, not to the bit.
"""

LOOKS = "evaluation.rungs"
"""Where a run is looked at, which changes nothing of it: it goes on under other rungs, as another scheduler has them.

Rungs that it has passed by then are not evaluated any more: the model is no longer the one of those words.
"""

PLACES = ("data.path", "tokenizer.name", "evaluation.data")
"""Options that say where something lies that a run reads; the corpus's key stands for the text and the tokenizer."""


STATES = ("completed", "stopped", "paused")
"""How a run can have ended."""


@contextlib.contextmanager
def claimed(folder: Path, config: RunConfig) -> Iterator[bool]:
    """Hold `folder` for this process and this configuration.

    A fresh run that is refused (a UserError) before it has trained leaves nothing behind, so that a mistake in the
    corpus's path, say, can be put right under the same name. Only the process that holds the folder removes anything,
    and only the files that it wrote and folders that are empty then.

    Yields:
        Whether the folder held the run already, so that it is to be resumed.

    Raises:
        RunFolderError: another process holds the folder, or it is another configuration's.
    """
    with FolderLock(folder) as lock:
        theirs = [name for name in (CONFIG, ENVIRONMENT, LOG, METRICS) if (folder / name).exists()]
        resumed = record(folder, config)
        try:
            yield resumed
        except UserError:
            has_trained = METRICS not in theirs and (folder / METRICS).exists()
            if not (resumed or has_trained):
                lock.remove(name for name in (CONFIG, ENVIRONMENT, LOG) if name not in theirs)
            raise


def record(folder: Path, config: RunConfig) -> bool:
    """Write `config` and the environment into a fresh folder, or make sure that it holds this very configuration.

    What may change when a run is resumed (`IRRELEVANT`, `LOOKS`) is written down as it is now.

    Returns:
        Whether the folder held it already, so that the run is to be resumed.

    Raises:
        RunFolderError: the folder holds another configuration; the message says which options differ, and how. Or
            something else is in its place: a file, a link that leads nowhere.
    """
    try:
        Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        what = f"must be a folder that can be written ({error.strerror})"
        raise RunFolderError(f"{folder} {what}: move away what is there, and run the same command again") from None
    if not (folder / CONFIG).exists():
        write_whole(folder / ENVIRONMENT, json.dumps(environment(), indent=2) + "\n")
        write_whole(folder / CONFIG, to_yaml(config))  # last: a folder with a configuration has all of this
        return False
    there = read_config(folder)
    differing = differences(_options(there), _options(config))
    if differing:
        raise RunFolderError(
            f"{folder} holds a run of another configuration: {differing}. Give this one a run.name of its own, "
            "or remove the folder"
        )
    if there != config:
        write_whole(folder / CONFIG, to_yaml(config))
    return True


def defining_options(config: RunConfig) -> dict[str, Any]:
    """The options that a run's course is a function of, by dotted key, in plain values.

    Where its text, tokenizer and tasks lie is not among them: the same command in another place, or on another
    machine, is the same run if it reads the same.
    """
    return {key: value for key, value in _options(config).items() if key not in PLACES}


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Which options differ, and how, in words: 'training.seed is 1 there, 2 here; ...'; empty if none does."""
    keys = dict.fromkeys([*ours, *theirs])
    return "; ".join(
        f"{key} is {_text(theirs.get(key, 'absent'))} there, {_text(ours.get(key, 'absent'))} here"
        for key in keys
        if key not in ours or key not in theirs or theirs[key] != ours[key]
    )


def read_config(folder: Path) -> RunConfig:
    """The configuration that `record` wrote.

    Raises:
        RunFolderError: it is missing, lacks a section, or is not one that this version can read.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise RunFolderError(f"{folder} must be the folder of a run; got no {CONFIG} in it")
    try:
        tree = read_yaml(file)
        config = from_dict(tree)
    except UserError as error:
        raise RunFolderError(f"{file} must be a configuration of this version: {error}") from None
    lacking = [section.name for section in dataclasses.fields(RunConfig) if section.name not in tree]
    if lacking:  # its options would be taken to be the defaults
        raise RunFolderError(
            f"{file} must hold every section of a configuration; it lacks {', '.join(lacking)}: restore it, or remove "
            f"{folder} to train the run again"
        )
    return config


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Say that the run has ended, and how."""
    write_whole(folder / OUTCOME, json.dumps(outcome.to_json(), indent=2) + "\n")


def read_outcome(folder: Path) -> Outcome | None:
    """What `write_outcome` wrote, or None while the run has not ended.

    Raises:
        RunFolderError: the file is not as a run writes it; the message says what is wrong.
    """
    file = folder / OUTCOME
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_bytes())
        if not isinstance(values, dict):
            raise ValueError(f"it must be a JSON object; got {shortened(json.dumps(values))}")
        for name, kind in typing.get_type_hints(Outcome).items():
            if not (name in values and _KINDS[kind](values[name])):
                given = f"got {shortened(json.dumps(values[name]))}" if name in values else "it is missing"
                raise ValueError(f"{name} must be {_NAMES[kind]}; {given}")
        if values["state"] not in STATES:
            raise ValueError(unknown("state", values["state"], STATES))
        return Outcome.from_json({name: values[name] for name in typing.get_type_hints(Outcome)})
    except (ValueError, RecursionError, OSError) as error:
        raise RunFolderError(
            f"{file} must say how the run ended ({error}); restore it, or remove {folder} to train the run again"
        ) from None


def require_room(folder: Path, config: RunConfig) -> None:
    """Refuse to start what the disk cannot hold.

    Raises:
        DiskError: too little is free where `folder` lies.
    """
    remedy = "write to another disk: run.dir=PATH of train_worker.py, --dir PATH of tune.py"
    require_space(folder, needed_bytes(config), "the run's checkpoints and models", remedy)


def remove_weights(folder: Path) -> None:
    """Remove the models that a run has left, so that at no moment half of one passes for whole."""
    for name in WEIGHTS:
        leaving = folder / f".{name}.removed"
        shutil.rmtree(leaving, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def _options(config: RunConfig) -> dict[str, Any]:
    return {key: value for key, value in flatten(to_dict(config)).items() if key not in (*IRRELEVANT, LOOKS)}


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


_KINDS: dict[Any, Callable[[Any], bool]] = {
    str: lambda value: isinstance(value, str),
    int: is_count,
    float: is_number,
    Mapping[str, float]: lambda value: isinstance(value, dict) and all(map(is_number, value.values())),
}
_NAMES: dict[Any, str] = {
    str: "a text",
    int: "an integer >= 0",
    float: "a number",
    Mapping[str, float]: "a mapping of numbers",
}
"""Type of a field of an outcome -> whether a value is one, and what to call it."""
