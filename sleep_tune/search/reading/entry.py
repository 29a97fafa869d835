"""A value of a search space together with where it was written: what every reader of the file works on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.search.reading.yaml_lines import Path

__all__ = ["Entry", "shown"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, the path to it, and where each path was written."""

    value: Any
    path: Path
    places: Mapping[Path, str]

    @property
    def key(self) -> str:
        """The path as a dotted key: stop.trials."""
        return ".".join(str(part) for part in self.path)

    @property
    def where(self) -> str:
        """Where it was written: 'demo.yaml:12', or the override."""
        for length in range(len(self.path), -1, -1):
            if self.path[:length] in self.places:
                return self.places[self.path[:length]]
        return self.key

    def error(self, message: str) -> ConfigError:
        """An error that begins with where this was written."""
        return ConfigError(f"{self.where}: {message}")

    def wrong(self, expected: str) -> ConfigError:
        """An error that says what was expected here, and what was given."""
        return self.error(f"{self.key or 'the search space'} must be {expected}; got {shown(self.value)}")

    def inside(self, key: str | int) -> "Entry":
        """The value at a key of a mapping, or an index of a list."""
        return Entry(self.value[key], (*self.path, key), self.places)

    def mapping(self, expected: str = "a mapping") -> dict[str, "Entry"]:
        """The entries of a mapping, by key.

        Raises:
            ConfigError: it is none.
        """
        if not isinstance(self.value, dict):
            raise self.wrong(expected)
        return {key: self.inside(key) for key in self.value}

    def items(self, expected: str = "a list") -> Iterator["Entry"]:
        """The entries of a list.

        Raises:
            ConfigError: it is none.
        """
        if not isinstance(self.value, list):
            raise self.wrong(expected)
        return (self.inside(index) for index in range(len(self.value)))

    def fields(self, known: tuple[str, ...]) -> dict[str, "Entry"]:
        """The entries of a mapping of which every key is known.

        Raises:
            ConfigError: it is no mapping, or has another key; the nearest one is named.
        """
        entries = self.mapping(f"a mapping of {', '.join(known)}")
        for key, entry in entries.items():
            if key not in known:
                raise entry.error(unknown(f"key of {self.key or 'a search space'}", key, known))
        return entries


def shown(value: Any) -> str:
    """A value as YAML would write it, cut short."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
