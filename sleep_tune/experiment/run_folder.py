"""The folder of one run: its lock, its configuration, and how it ended.

It holds config.yaml (every option, with its meaning), environment.json, log.txt and, at the end, outcome.json. Training
writes its own files beside them.
"""

import contextlib
import dataclasses
import functools
import json
import os
import shutil
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.config.describe import to_yaml
from sleep_tune.config.environment import environment
from sleep_tune.config.schema import ONE_OF, RunConfig, TrackingConfig
from sleep_tune.config.size import needed_bytes
from sleep_tune.config.sources import compared_by_source, imported_functions
from sleep_tune.config.tree import flatten, from_dict, to_dict
from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import RunFolderError, UserError, shortened, unknown
from sleep_tune.experiment.json_checks import Check, is_text, mapping_of
from sleep_tune.experiment.run_protocol import complete_stored, with_protocol
from sleep_tune.files import expanded, require_space, write_whole
from sleep_tune.folder_lock import FolderLock
from sleep_tune.installation import command
from sleep_tune.records import Outcome, is_count, is_number

__all__ = [
    "AVERAGED_MODEL",
    "BUDGET_IS_FIXED",
    "CONFIG",
    "ENVIRONMENT",
    "EXPOSURES",
    "LOG",
    "METRICS",
    "MODEL",
    "OUTCOME",
    "WEIGHTS",
    "WORD_CHECKPOINTS",
    "claimed",
    "default_options",
    "defining_options",
    "describe_differences",
    "holds_run",
    "read_config",
    "read_outcome",
    "record_run",
    "remove_weights",
    "require_room",
    "write_outcome",
]

CONFIG, ENVIRONMENT, OUTCOME = "config.yaml", "environment.json", "outcome.json"
LOG = "log.txt"
EXPOSURES = "exposures.npz"
"""How often a run that has completed trained on each sample (`experiment.exposures`, which loads numpy)."""
METRICS = "metrics.jsonl"
"""Journal of the training: a folder that has it has been trained in."""

MODEL, AVERAGED_MODEL, WORD_CHECKPOINTS = "model", "model-ema", "checkpoints"
WEIGHTS = (MODEL, AVERAGED_MODEL, WORD_CHECKPOINTS)
"""Folders with trained weights; without them, a run that has ended still has its results."""

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
"""Options for where files are, how often a run is saved, which trackers it reports to and how fast it trains.

They do not change what is computed, so each may change when a run is resumed. With another number of threads, numbers
are added in another order: the run is then the same up to rounding, not to the bit.
"""

RUNGS = "evaluation.rungs"
"""Where a run is evaluated. A run may be resumed with other rungs, as another scheduler has them.

Rungs that it has passed by then are not evaluated: the model of that number of words no longer exists.
"""

PLACES = ("data.path", "tokenizer.name", "model.init", "sleep.matched", "sleep.replay.reference", "evaluation.data")
"""Paths of what a run reads; the corpus's key identifies the text and the tokenizer, digests the rest."""

BUDGET_IS_FIXED = (
    "A run cannot be continued with another budget, for its learning rate, its sleep and its rungs follow the share of "
    "the budget that was used, from the first update on"
)

MOVABLE = ("sleep.matched",)
"""Paths whose last part alone is compared: an experiment's folder may be moved, and its runs with it."""

STATES = ("completed", "stopped", "paused")
"""States of a run that has ended."""


@contextlib.contextmanager
def claimed(folder: Path, config: RunConfig) -> Iterator[bool]:
    """Lock `folder` for this process and record this configuration in it.

    A new run that fails before it has trained leaves nothing behind, so that a mistake, such as a wrong path of the
    corpus or an error in the user's own code, can be corrected under the same name. Only the process that holds the
    lock removes anything: the files that it wrote, and folders that are then empty.

    Yields:
        Whether the folder held the run already, so that it is resumed.

    Raises:
        RunFolderError: another process holds the folder, or it is another configuration's.
    """
    with FolderLock(folder) as lock:
        theirs = [name for name in (CONFIG, ENVIRONMENT, LOG, METRICS) if (folder / name).exists()]
        resumed = record_run(folder, config)
        try:
            yield resumed
        except Exception:
            has_trained = METRICS not in theirs and (folder / METRICS).exists()
            if not (resumed or has_trained):
                lock.remove(name for name in (CONFIG, ENVIRONMENT, LOG) if name not in theirs)
            raise


def record_run(folder: Path, config: RunConfig) -> bool:
    """Write `config` and the environment into a new folder, or check that the folder holds this configuration.

    Options that may change when a run is resumed (`IRRELEVANT`, `RUNGS`) are written with their new values.

    Returns:
        Whether the folder held the run already, so that it is resumed.

    Raises:
        RunFolderError: the folder holds another configuration (the message names the options that differ, and their
            values), or something else is in its place: a file, a broken link.
    """
    try:
        Path(os.path.realpath(folder)).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError, PermissionError) as error:
        what = f"must be a folder that can be written ({error.strerror})"
        raise RunFolderError(f"{folder} {what}: move away what is there, and run the same command again") from None
    if not (folder / CONFIG).exists():
        files = {path: str(function.file) for path, function in imported_functions(config).items()}
        about = environment() | ({"sources": files} if files else {})
        write_whole(folder / ENVIRONMENT, json.dumps(about, indent=2) + "\n")
        write_whole(folder / CONFIG, to_yaml(config))  # last, so that a folder with a configuration is complete
        return False
    there = read_config(folder)
    differing = describe_differences(_options(there), _options(config))
    if differing:
        raise RunFolderError(
            f"{folder} holds a run of another configuration: {differing}. {_remedy(folder, there, config)}"
        )
    if there != config:
        write_whole(folder / CONFIG, to_yaml(config))
    return True


def holds_run(folder: Path, config: RunConfig) -> bool:
    """Return whether `folder` holds a run of this configuration.

    Raises:
        UserError: its configuration cannot be read, or its protocol does not fit `evaluation.tasks`.
    """
    if not (folder / CONFIG).is_file():
        return False
    there = read_config(folder)
    return not describe_differences(_options(there), _options(with_protocol(config, there.evaluation.protocol)))


def _remedy(folder: Path, there: RunConfig, config: RunConfig) -> str:
    """Return what to do where `folder` holds another run; a larger budget does not continue a run."""
    theirs, ours = _options(there), _options(config)
    differing = {key for key in ours if theirs.get(key) != ours[key]}
    if not differing <= {f"budget.{name}" for name in ONE_OF["budget"]}:
        return "Give this one a run.name of its own, or remove the folder"
    can_begin = (folder / MODEL).is_dir() and config.training.objective != "hybrid"
    weights = f", or with the weights of that one (model=hf model.init={folder / MODEL})" if can_begin else ""
    return f"{BUDGET_IS_FIXED}. Train this one from the start{weights}, under a run.name of its own"


@functools.cache
def default_options() -> Mapping[str, Any]:
    """Return the default of every option, by dotted key, in plain values: what a run has that is older than one."""
    return types.MappingProxyType(flatten(to_dict(RunConfig())))


def defining_options(config: RunConfig) -> dict[str, Any]:
    """Return the options that determine a run's results, by dotted key, in plain values.

    The paths of its text, tokenizer and tasks are not among them: the same command on another machine is the same run
    if it reads the same data.
    """
    return {key: value for key, value in _options(config).items() if key not in PLACES}


def describe_differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Return how options differ, as text: 'training.seed is 1 there, 2 here; ...'; empty if none does."""
    theirs, ours = compared_by_source(theirs, ours)
    keys = dict.fromkeys([*ours, *theirs])
    return "; ".join(
        f"{key} is {_text(theirs.get(key, 'absent'))} there, {_text(ours.get(key, 'absent'))} here"
        for key in keys
        if key not in ours or key not in theirs or theirs[key] != ours[key]
    )


def read_config(folder: Path) -> RunConfig:
    """Return the configuration that `record_run` wrote.

    Raises:
        RunFolderError: it is missing, lacks a section, or cannot be read by this version.
    """
    file = folder / CONFIG
    if not file.is_file():
        raise RunFolderError(f"{folder} must be the folder of a run; got no {CONFIG} in it")
    try:
        tree = read_yaml(file)
        config = from_dict(complete_stored(tree))
    except UserError as error:
        raise RunFolderError(f"{file} must be a configuration of this version: {error}") from None
    lacking = [section.name for section in dataclasses.fields(RunConfig) if section.name not in tree]
    if lacking:  # its options would silently have their defaults
        raise RunFolderError(
            f"{file} must hold every section of a configuration; it lacks {', '.join(lacking)}: restore it, or remove "
            f"{folder} to train the run again"
        )
    return config


def write_outcome(folder: Path, outcome: Outcome) -> None:
    """Write that the run has ended, and how."""
    write_whole(folder / OUTCOME, json.dumps(outcome.to_json(), indent=2) + "\n")


def read_outcome(folder: Path) -> Outcome | None:
    """Return what `write_outcome` wrote; None while the run has not ended.

    Raises:
        RunFolderError: the file is not one that a run writes; the message says what is wrong.
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
    """Check that the disk can hold the run.

    Raises:
        DiskError: too little space is free on the disk of `folder`.
    """
    remedy = f"write to another disk: run.dir=PATH of {command('train')}, --dir PATH of {command('search')}"
    require_space(folder, needed_bytes(config), "the run's checkpoints and models", remedy)


def remove_weights(folder: Path) -> None:
    """Remove a run's models. Each is renamed first, so that a half-removed model is never taken for a whole one."""
    for name in WEIGHTS:
        leaving = folder / f".{name}.removed"
        shutil.rmtree(leaving, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)


def _options(config: RunConfig) -> dict[str, Any]:
    options = {key: value for key, value in flatten(to_dict(config)).items() if key not in (*IRRELEVANT, RUNGS)}
    return options | {key: expanded(options[key]).name for key in MOVABLE if options[key] is not None}


def _text(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


_KINDS: dict[Any, Check] = {
    str: is_text,
    int: is_count,
    float: is_number,
    Mapping[str, float]: mapping_of(is_number),
}
_NAMES: dict[Any, str] = {
    str: "a text",
    int: "an integer >= 0",
    float: "a number",
    Mapping[str, float]: "a mapping of numbers",
}
"""Type of a field of an outcome -> check of a value; -> its name in messages."""
