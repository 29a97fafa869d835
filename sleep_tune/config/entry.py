"""A value together with where it was written, and the list of the mistakes found so far.

Files, command lines and search spaces are all read as entries. A reader raises at the first mistake in one value; a
reader of several values keeps the mistakes of each (`with entry.mistakes:`), so that all are reported together.
"""

import re
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sleep_tune.errors import ConfigError, together, unknown

__all__ = ["Entry", "KeyPath", "Mistake", "MistakeList", "shown"]

KeyPath = tuple[str | int, ...]
"""Keys and indices from the root to a value."""


class Mistake(ConfigError):
    """One mistake.

    Args:
        where: 'demo.yaml:12', or the override; the message begins with it. None if it is unknown, or in the message.
        text: what must hold, and what was given.
        path: to the value.
    """

    def __init__(self, where: str | None, text: str, path: KeyPath = ()) -> None:
        super().__init__(text if where is None else f"{where}: {text}")
        self.where = where
        self.path = path


@dataclass
class MistakeList:
    """The mistakes found so far in one file or configuration. As a context manager it keeps those raised within."""

    name: str
    """What was read, for messages: the file as the user named it."""
    mistakes: list[Mistake] = field(default_factory=list)

    def __enter__(self) -> None:
        """Keep a mistake that is raised within, instead of letting it end the reading."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *traceback: object) -> bool:
        """Return whether the exception was a mistake, which is then kept."""
        if not isinstance(error, Mistake):
            return False
        self.add(error)
        return True

    def add(self, mistake: Mistake) -> None:
        """Keep a mistake. Of two in one value only the first is kept, as the second may follow from it."""
        if not mistake.path or all(mistake.path != other.path for other in self.mistakes):
            self.mistakes.append(mistake)

    def has_any(self, path: KeyPath) -> bool:
        """Return whether a mistake was found in the value at `path`, or in anything within it."""
        return any(mistake.path[: len(path)] == path for mistake in self.mistakes)

    def check(self) -> None:
        """Raise the mistakes, if there are any.

        Raises:
            ConfigError: all of them, in the order of the file's lines, those without a line last.
        """
        if self.mistakes:
            raise together([*sorted(self.mistakes, key=_line)], self.name)


def _line(mistake: Mistake) -> int:
    found = re.fullmatch(r".*:(\d+)", mistake.where or "", re.DOTALL)
    return int(found[1]) if found else sys.maxsize


@dataclass(frozen=True, slots=True)
class Entry:
    """A value, the path to it, where each path was written, and the mistakes found so far."""

    value: Any
    path: KeyPath = ()
    places: Mapping[KeyPath, str] = field(default_factory=dict)
    mistakes: MistakeList = field(default_factory=lambda: MistakeList("the configuration"), repr=False)

    @property
    def key(self) -> str:
        """The path as a dotted key: stop.trials."""
        return ".".join(map(str, self.path))

    @property
    def where(self) -> str | None:
        """Where it was written ('demo.yaml:12', or the override); else where what it lies in was, or None."""
        paths = (self.path[:length] for length in range(len(self.path), -1, -1))
        return next((self.places[path] for path in paths if path in self.places), None)

    @property
    def is_sound(self) -> bool:
        """Whether no mistake was found in it so far."""
        return not self.mistakes.has_any(self.path)

    def has_unknown_keys(self, known: Container[str]) -> bool:
        """Return whether a mistake was found in a key that is not in `known`, and so may be a known one misspelt."""
        paths = (mistake.path for mistake in self.mistakes.mistakes)
        return any(path and path[:-1] == self.path and path[-1] not in known for path in paths)

    def error(self, text: str) -> Mistake:
        """Return an error that begins with where this was written."""
        return Mistake(self.where, text, self.path)

    def wrong(self, expected: str) -> Mistake:
        """Return an error that says what was expected here, and what was given."""
        return self.error(f"{self.key or 'the file'} must be {expected}; got {shown(self.value)}")

    def inside(self, key: str | int) -> "Entry":
        """Return the entry at a key of a mapping, or at an index of a list."""
        return Entry(self.value[key], (*self.path, key), self.places, self.mistakes)

    def mapping(self, expected: str = "a mapping") -> dict[str, "Entry"]:
        """Return the entries of a mapping, by key.

        Raises:
            ConfigError: it is no mapping.
        """
        if not isinstance(self.value, Mapping):
            raise self.wrong(expected)
        return {key: self.inside(key) for key in self.value}

    def items(self, expected: str = "a list") -> Iterator["Entry"]:
        """Return the entries of a list.

        Raises:
            ConfigError: it is no list.
        """
        if not isinstance(self.value, list):
            raise self.wrong(expected)
        return (self.inside(index) for index in range(len(self.value)))

    def fields(
        self, known: Iterable[str], unknown_key: Callable[[str], str | None] | None = None
    ) -> dict[str, "Entry"]:
        """Return the entries of a mapping whose keys are known, and keep a mistake for every other key.

        Args:
            known: the keys.
            unknown_key: from the dotted key to what the mistake says; where it is not given, or returns None, the
                mistake names the nearest known key.

        Raises:
            ConfigError: it is no mapping.
        """
        names = list(known)
        entries = self.mapping(f"a mapping of {', '.join(names)}")
        for key, entry in entries.items():
            if key not in names:
                what = f"key of {self.key}" if self.path else "key"
                text = unknown_key(entry.key) if unknown_key else None
                self.mistakes.add(entry.error(text or unknown(what, key, names)))
        return {key: entry for key, entry in entries.items() if key in names}


def shown(value: Any) -> str:
    """Return a value in YAML's words, cut short; text is quoted, so that '3' differs from 3."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 256:
        return "a number of more than 77 digits"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
