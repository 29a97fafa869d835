"""What an experiment says of itself in experiment.yaml, as far as its comparison needs it.

A folder that lost that file is still compared, under the defaults. Knows nothing of trials.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sleep_tune.errors import DataError, unknown
from sleep_tune.experiment.experiment_file import EXPERIMENT, read_experiment_file
from sleep_tune.names import MATCHED

__all__ = ["Experiment", "describe"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """The study that an experiment folder holds."""

    name: str
    objective: str = "eval/nll"
    """What the search improves, on dev."""
    mode: str = "min"
    """'min' or 'max'."""
    base: Mapping[str, Any] = field(default_factory=dict)
    """What every run starts from, as the space says it: choices of groups and options by dotted key."""
    parameters: tuple[str, ...] = ()
    """Dotted keys that were searched."""
    tuned: Mapping[str, int] = field(default_factory=dict)
    """Baseline -> trials planned for its own small search; 0 where it runs with the base's settings."""
    seeds: int | None = None
    """Fresh seeds that every arm is to be repeated over."""
    workers: int = 1
    """Processes that train a run together: its hours count this many times."""
    endpoint: str | None = None
    """The primary endpoint, where the space names one."""
    smallest: float | None = None
    """The smallest difference of interest at the primary endpoint, in its unit, where the space names one."""

    matched: str = "words"
    """What arms must have had the same of: a name in `names.MATCHED`."""

    @property
    def primary(self) -> str:
        """The primary endpoint, named before the run: the space's, else the objective; on test, if it is on dev."""
        named = self.endpoint or self.objective
        return f"test/{named.removeprefix('eval/')}" if named.startswith("eval/") else named


def describe(folder: Path) -> Experiment:
    """The experiment in `folder`: under the folder's name and the defaults where it does not say.

    Raises:
        RunFolderError: its description is not as it was written, is not YAML, or no mapping.
        DataError: it names what nothing can be matched on, or no mode of the objective.
    """
    path = folder / EXPERIMENT
    name = folder.resolve().name
    if not path.is_file():
        return Experiment(name=name)
    described = read_experiment_file(path)
    try:
        return _experiment(name, _section(described, "space"))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} must describe an experiment; {error}") from error


def _experiment(name: str, space: Mapping[str, Any]) -> Experiment:
    """From what the file says of the space.

    Raises:
        ValueError, TypeError: a value that it cannot have.
    """
    objective, baselines = _section(space, "objective"), _section(space, "baselines")
    comparison = _section(space, "comparison")
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
        seeds=_section(space, "finalists").get("seeds"),
        workers=int(_section(space, "resources").get("workers", 1)),
        endpoint=comparison.get("primary"),
        smallest=comparison.get("smallest"),
        matched=matched,
    )


def _section(mapping: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A nested mapping; empty where it is missing or null."""
    value = mapping.get(key)
    return dict(value) if isinstance(value, Mapping) else {}
