"""The file of a search space, which the user or the package has."""

from pathlib import Path

from sleep_tune.errors import ConfigError, nearest
from sleep_tune.installation import SPACES

__all__ = ["find_space"]


def find_space(given: Path) -> Path:
    """Return the file of a search space, which may be given without .yaml, or by the name of one of the package's.

    Args:
        given: a path; or, for a space of the package, `demo`, `demo.yaml` or `search_spaces/demo.yaml`.

    Raises:
        ConfigError: there is no such file; the message names the nearest.
    """
    named = given if given.suffix in (".yaml", ".yml") else given.parent / f"{given.name}.yaml"
    may_be_ours = given.parent in (Path(), Path(SPACES.name))
    places = [given, named, SPACES / named.name] if may_be_ours else [given, named]
    try:
        for place in places:
            if place.is_file():
                return place
        if given.is_dir():
            raise ConfigError(f"{given}: must be the file of a search space; it is a directory")
        beside = [file.name for file in given.parent.glob("*.yaml")]
    except OSError as error:
        raise ConfigError(f"{given}: cannot be read: {error.strerror}") from error
    ours = sorted(file.stem for file in SPACES.glob("*.yaml")) if may_be_ours else []
    if close := nearest(named.name, beside):
        raise ConfigError(f"{given}: there is no such file; did you mean '{given.parent / close}'?")
    close = nearest(named.stem, ours)
    hint = f"; did you mean '{close}'?" if close else f"; the package has: {', '.join(ours)}" if ours else ""
    raise ConfigError(f"{given}: there is no such file{hint}")
