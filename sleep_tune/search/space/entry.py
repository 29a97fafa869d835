"""A value of a search space together with where it was written, and the mistakes found on the way.

What every reader of the file works on: it raises at the first mistake in what it reads, and whoever reads several
things gathers (`with entry.found:`), so that one mistake hides no other.
"""

import re
import sys
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sleep_tune.errors import ConfigError, together, unknown
from sleep_tune.search.space.yaml_lines import Path

__all__ = ["Entry", "Found", "Mistake", "shown"]


class Mistake(ConfigError):
    """One mistake in a search space.

    Args:
        where: it is: 'demo.yaml:12', or the override. The message begins with it; None if it says so itself.
        told: what must hold, and what was given.
        path: to the value.
    """

    def __init__(self, where: str | None, told: str, path: Path = ()) -> None:
        super().__init__(told if where is None else f"{where}: {told}")
        self.where = where
        self.path = path


@dataclass
class Found:
    """The mistakes found so far in one search space. As a context it keeps those that are raised within."""

    name: str
    """What messages call the space: its file, as the user gave it."""
    mistakes: list[Mistake] = field(default_factory=list)

    def __enter__(self) -> None:
        """Gather: keep a mistake that is raised within, instead of letting it end the reading."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *traceback: object) -> bool:
        """Whether it was a mistake, which is kept."""
        if not isinstance(error, Mistake):
            return False
        self.add(error)
        return True

    def add(self, mistake: Mistake) -> None:
        """Keep a mistake. Of two in one value only the first is kept: the second may follow from it."""
        if not mistake.path or all(mistake.path != other.path for other in self.mistakes):
            self.mistakes.append(mistake)

    def inside(self, path: Path) -> bool:
        """Whether a mistake was found in the value at `path`, or in anything within it."""
        return any(mistake.path[: len(path)] == path for mistake in self.mistakes)

    def check(self) -> None:
        """Refuse the space if there is a mistake.

        Raises:
            ConfigError: all of them, in the order of the file's lines, those of the command line last.
        """
        if self.mistakes:
            raise together([*sorted(self.mistakes, key=_line)], self.name)


def _line(mistake: Mistake) -> int:
    found = re.fullmatch(r".*:(\d+)", mistake.where or "", re.DOTALL)
    return int(found[1]) if found else sys.maxsize


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, the path to it, where each path was written, and what was found wrong so far."""

    value: Any
    path: Path
    places: Mapping[Path, str]
    found: Found = field(default_factory=lambda: Found("the search space"), repr=False)

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

    @property
    def sound(self) -> bool:
        """Whether no mistake was found in it so far."""
        return not self.found.inside(self.path)

    def has_strangers(self, known: Container[str]) -> bool:
        """Whether a mistake was found in a key of it that is none of `known`, and might have been meant for one."""
        paths = (mistake.path for mistake in self.found.mistakes)
        return any(path and path[:-1] == self.path and path[-1] not in known for path in paths)

    def error(self, message: str) -> Mistake:
        """An error that begins with where this was written."""
        return Mistake(self.where, message, self.path)

    def wrong(self, expected: str) -> Mistake:
        """An error that says what was expected here, and what was given."""
        return self.error(f"{self.key or 'the search space'} must be {expected}; got {shown(self.value)}")

    def inside(self, key: str | int) -> "Entry":
        """The value at a key of a mapping, or an index of a list."""
        return Entry(self.value[key], (*self.path, key), self.places, self.found)

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
        """The entries of a mapping whose keys are known; of every other key the mistake is kept, and the nearest named.

        Raises:
            ConfigError: it is no mapping.
        """
        entries = self.mapping(f"a mapping of {', '.join(known)}")
        for key, entry in entries.items():
            if key not in known:
                with entry.found:
                    raise entry.error(unknown(f"key of {self.key or 'a search space'}", key, known))
        return {key: entry for key, entry in entries.items() if key in known}


def shown(value: Any) -> str:
    """A value as YAML would write it, cut short."""
    if value is None or isinstance(value, bool):
        return {None: "nothing", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
