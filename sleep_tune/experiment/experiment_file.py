"""experiment.yaml: the study that an experiment's folder belongs to, with a checksum.

The file decides which study a folder holds, which endpoint its comparison has and which trials a warm start may copy.
So its first line is a checksum of the rest, and an edited file is refused. Files of earlier versions have no checksum
and are read as they
are.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.errors import DataError, RunFolderError, unknown
from sleep_tune.metric_names import on_test
from sleep_tune.names import MATCHED

__all__ = ["EXPERIMENT", "Experiment", "describe_experiment", "read_experiment_file", "sealed"]

EXPERIMENT = "experiment.yaml"
"""The file's name in an experiment folder."""

FAST_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""For files with a checksum: it crashes the process where brackets are nested 100,000 deep."""
SEAL = re.compile(rb"sha256: '?([0-9a-f]{64})'?\r?\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The study of an experiment, by its file. Everything but the name has a default, for folders without the file."""

    name: str
    objective: str = "eval/nll"
    """Metric that the search improves, on dev."""
    mode: str = "min"
    """'min' or 'max'."""
    base: Mapping[str, Any] = field(default_factory=dict)
    """What every run starts from, as the space states it: choices of groups, and options by dotted key."""
    parameters: tuple[str, ...] = ()
    """Dotted keys that were searched."""
    tuned: Mapping[str, int] = field(default_factory=dict)
    """Baseline -> trials planned for its own search; 0 where it runs with the base's settings."""
    like: Mapping[str, str] = field(default_factory=dict)
    """Baseline -> another one, whose tuned settings it has."""
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Arm -> what the space states: like or matched (another arm, a baseline or best), groups and options."""
    reference: str = "epochs"
    """The arm or baseline that all others are compared with."""
    workers: int = 1
    """Processes that train one run together: its hours count this many times."""
    endpoint: str | None = None
    """The primary endpoint, where the space names one."""
    smallest: float | None = None
    """The smallest difference of interest at the primary endpoint, in its unit, where the space names one."""
    matched: str = "words"
    """The resource that all arms must share: a name in `names.MATCHED`."""

    @property
    def primary(self) -> str:
        """The primary endpoint: the one that the space names, else the objective; on test, if it is on dev."""
        return on_test(self.endpoint or self.objective)


def describe_experiment(folder: Path) -> Experiment:
    """Return the experiment in `folder`; the defaults, under the folder's name, if it has no experiment.yaml.

    Raises:
        RunFolderError: the file was edited, is no YAML or no mapping.
        DataError: `comparison.matched` or `objective.mode` has a value that it cannot have.
    """
    path = folder / EXPERIMENT
    name = folder.resolve().name
    if not path.is_file():
        return Experiment(name=name)
    content = read_experiment_file(path)
    try:
        return _experiment(name, content)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} must describe an experiment; {error}") from error


def _experiment(name: str, content: Mapping[str, Any]) -> Experiment:
    """Return the experiment that the file's content describes.

    Raises:
        ValueError, TypeError: a value that it cannot have.
    """
    space = _section(content, "space")
    objective, baselines = _section(space, "objective"), _section(space, "baselines")
    comparison, arms = _section(space, "comparison"), _section(space, "arms")
    matched = str(comparison.get("matched", "words"))
    if matched not in MATCHED:
        raise ValueError(unknown("comparison.matched", matched, MATCHED))
    mode = str(objective.get("mode", "min"))
    if mode not in ("min", "max"):
        raise ValueError(unknown("objective.mode", mode, ("min", "max")))
    return Experiment(
        name=str(space.get("name", name)),
        objective=str(objective.get("metric", "eval/nll")),
        mode=mode,
        base=_section(space, "base"),
        parameters=tuple(_section(space, "parameters")),
        tuned={baseline: int(_section(baselines, baseline).get("trials") or 0) for baseline in baselines},
        like={name: str(like) for name in baselines if (like := _section(baselines, name).get("like")) is not None},
        arms={name: _section(arms, name) for name in arms},
        reference=str(comparison.get("reference", "epochs")),
        workers=int(_section(space, "resources").get("workers", 1)),
        endpoint=comparison.get("primary"),
        smallest=comparison.get("smallest"),
        matched=matched,
    )


def _section(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a nested mapping; empty where it is missing or null."""
    value = mapping.get(key)
    return dict(value) if isinstance(value, Mapping) else {}


def sealed(text: str) -> bytes:
    """Return the file's content: the line with the checksum, then `text`, YAML of a mapping."""
    content = text.encode()
    return b"sha256: '%s'\n%s" % (hashlib.sha256(content).hexdigest().encode(), content)


def read_experiment_file(path: Path) -> dict[str, Any]:
    """Return what the file holds.

    Raises:
        FileNotFoundError: there is none.
        RunFolderError: it was edited or cut off, is no YAML, or no mapping.
    """
    try:
        content = path.read_bytes()
        seal = SEAL.match(content)
        if seal is not None and hashlib.sha256(content[seal.end() :]).hexdigest().encode() != seal[1]:
            raise _edited(path, "its checksum differs")
        read = yaml.load(content, yaml.SafeLoader if seal is None else FAST_LOADER)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RunFolderError(f"{path} must be a file that can be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, RunFolderError):
            raise
        what = " ".join(str(error).split())
        raise RunFolderError(f"{path} cannot be read as an experiment; it is not YAML: {what}") from error
    if not isinstance(read, dict):
        what = "it is empty" if read is None else f"it is no mapping but a {type(read).__name__}"
        raise RunFolderError(f"{path} cannot be read as an experiment: {what}; put it back from a copy")
    if seal is None and "sha256" in read:
        raise _edited(path, "its checksum is not its first line")
    return read


def _edited(path: Path, how: str) -> RunFolderError:
    return RunFolderError(
        f"{path} is not as it was written ({how}): put it back from a copy, and change options of a study in the file "
        "of its search space. To accept it as it is, remove the line that begins with 'sha256:'"
    )
