"""Sources of learning curves by name: analytic, recorded with the project, or read from a file or experiment."""

from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.search.space.search_space import Parameter
from sleep_tune.simulation.analytic import ANALYTIC
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.recorded_curves import (
    FOLDER,
    Recording,
    read_experiment_curves,
    read_recording,
    recorded_landscape,
)

__all__ = ["Source", "read_source", "source_names"]

PREFIX = "recorded/"
"""Prefix of the names of recordings that come with the project."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source of landscapes."""

    name: str
    parameters: tuple[Parameter, ...]
    """Parameters of the space that is searched."""
    recording: Recording | None

    def landscape(self, seed: int) -> Landscape:
        """Return the landscape of one seed. Recorded curves give the same one for all seeds."""
        if self.recording is not None:
            return recorded_landscape(self.recording)
        return ANALYTIC[self.name](self.parameters, seed)


def source_names() -> list[str]:
    """Return the names of all sources but files and experiments."""
    return [*ANALYTIC, *sorted(f"{PREFIX}{path.stem}" for path in FOLDER.glob("*.jsonl"))]


def read_source(name: str, parameters: tuple[Parameter, ...]) -> Source:
    """Return the source of a name.

    Args:
        name: one of `source_names()`, a file of recorded curves, or an experiment's folder.
        parameters: of the study. If recorded curves are chosen, their own parameters are searched.

    Raises:
        ConfigError: there is no source of that name, or the parameters do not fit it.
    """
    if name in ANALYTIC:
        ANALYTIC[name](parameters, 0)
        return Source(name, parameters, None)
    path = FOLDER / f"{name.removeprefix(PREFIX)}.jsonl" if name.startswith(PREFIX) else Path(name)
    if not path.exists():
        raise ConfigError(
            f"{unknown('curves', name, source_names())}; or a file of recorded curves, or an experiment's folder"
        )
    recording = read_experiment_curves(path) if path.is_dir() else read_recording(path)
    return Source(name, recording.parameters, recording)
