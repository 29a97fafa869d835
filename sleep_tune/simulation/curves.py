"""Where learning curves come from, by name: made up, recorded with the project, or read from a file or experiment."""

from dataclasses import dataclass
from pathlib import Path

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.search.space.search_space import Parameter
from sleep_tune.simulation.analytic import ANALYTIC
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.recorded_curves import FOLDER, Recording, read_experiment, read_recording, recorded_landscape

__all__ = ["Source", "names", "read_source"]

PREFIX = "recorded/"
"""Begins the names of recordings that come with the project."""


@dataclass(frozen=True, slots=True)
class Source:
    """One source of landscapes."""

    name: str
    parameters: tuple[Parameter, ...]
    """Of the space that is searched."""
    recording: Recording | None

    def landscape(self, seed: int) -> Landscape:
        """The landscape of one seed. Recorded curves make the same one for all."""
        if self.recording is not None:
            return recorded_landscape(self.recording)
        return ANALYTIC[self.name](self.parameters, seed)


def names() -> list[str]:
    """All sources but files and experiments."""
    return [*ANALYTIC, *sorted(f"{PREFIX}{path.stem}" for path in FOLDER.glob("*.jsonl"))]


def read_source(name: str, parameters: tuple[Parameter, ...]) -> Source:
    """Find a source.

    Args:
        name: one of `names()`, a file of recorded curves, or an experiment's folder.
        parameters: of the study; recorded curves have parameters of their own, and those are searched then.

    Raises:
        ConfigError: there is none of that name; or the parameters do not suit it.
    """
    if name in ANALYTIC:
        ANALYTIC[name](parameters, 0)
        return Source(name, parameters, None)
    path = FOLDER / f"{name.removeprefix(PREFIX)}.jsonl" if name.startswith(PREFIX) else Path(name)
    if not path.exists():
        raise ConfigError(
            f"{unknown('curves', name, names())}; or a file of recorded curves, or an experiment's folder"
        )
    recording = read_experiment(path) if path.is_dir() else read_recording(path)
    return Source(name, recording.parameters, recording)
