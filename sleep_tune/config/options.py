"""Every option of the schema by its dotted key, and the check of one value against it.

Knows nothing of files, YAML, command lines, or of rules between two options (check.py).
"""

import dataclasses
import functools
import math
import types
import typing
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError, unknown

__all__ = ["Option", "options", "sections"]

EXPECTED = {str: "text", int: "a whole number", float: "a number", bool: "true or false", tuple: "a list of numbers"}

LISTED = "a list of"
"""How an option is described of which each item is one of a few names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: its meaning, type, default and range."""

    key: str
    """Dotted, as written on the command line: sleep.replay.ratio."""
    doc: str
    type: type
    """str, int, float, bool, or tuple (of floats; with `choices`, of different ones of these)."""
    optional: bool
    """Whether null is a value."""
    default: Any
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] | None = None

    @property
    def expected(self) -> str:
        """What a value must be, in words: 'a number in (0, 1]', 'one of: random, strict, weighted'."""
        if self.choices is not None:
            return f"{LISTED if self.type is tuple else 'one of'}: {', '.join(self.choices)}"
        words = EXPECTED[self.type]
        if self.range:
            words += f" {self.range}" if self.range[0] not in "[(" else f" in {self.range}"
        return words + (" or null" if self.optional else "")

    @property
    def range(self) -> str:
        """The range alone: '(0, 1]', '>= 1', or '' where any value of the type will do."""
        if self.low is None and self.above is None:
            return ""
        floor = f"[{_plain(self.low)}" if self.low is not None else f"({_plain(self.above)}"
        if self.high is not None:
            return f"{floor}, {_plain(self.high)}]"
        if self.below is not None:
            return f"{floor}, {_plain(self.below)})"
        return f">= {_plain(self.low)}" if self.low is not None else f"> {_plain(self.above)}"

    def check(self, value: object) -> Any:
        """Return `value` as the schema holds it: an int given for a float becomes one, a list a tuple.

        Raises:
            ConfigError: wrong type, out of range, or not among the choices; the message names the key, what must
                hold and what was given. A bool is not a number, and text is never read as one.
        """
        if value is None and self.optional:
            return None
        if self.type is tuple:
            if not isinstance(value, list | tuple):
                raise self._refuse(value)
            return (
                self._names(value) if self.choices is not None else tuple(self._number(item, value) for item in value)
            )
        if self.type is float:
            return self._number(value, value)
        if not isinstance(value, self.type) or (self.type is int and isinstance(value, bool)):
            raise self._refuse(value)
        if self.choices is not None and value not in self.choices:
            raise ConfigError(unknown(self.key, value, self.choices))
        if self.type is int and not self._in_range(typing.cast(int, value)):
            raise self._refuse(value)
        if self.type is str and not typing.cast(str, value).strip():
            raise ConfigError(f"{self.key} must be {self.expected}; got empty text")
        if self.type is str and any(unicodedata.category(letter) in ("Cc", "Cs") for letter in typing.cast(str, value)):
            raise ConfigError(f"{self.key} must be text without control characters, in UTF-8; got {_shown(value)}")
        return value

    def _names(self, values: Sequence[object]) -> tuple[str, ...]:
        """`values` as different choices."""
        for value in values:
            if value not in (self.choices or ()):
                raise ConfigError(unknown(self.key, value, self.choices or ()))
        if len(set(values)) < len(values):
            raise ConfigError(f"{self.key} must name each at most once; got {_shown(list(values))}")
        return tuple(str(value) for value in values)

    def _number(self, value: object, given: object) -> float:
        """`value` as a finite float in range; `given` is what the message quotes."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._refuse(given)
        if not (self._in_range(value) and abs(value) < math.inf):  # a NaN is in no range; an int may be past any float
            raise self._refuse(given)
        try:
            return float(value)
        except OverflowError:
            raise self._refuse(given) from None

    def _in_range(self, value: float) -> bool:
        return (
            value == value
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def _refuse(self, given: object) -> ConfigError:
        return ConfigError(f"{self.key} must be {self.expected}; got {_shown(given)}")


@functools.cache
def options() -> Mapping[str, Option]:
    """Every option by dotted key, in the schema's order."""
    return types.MappingProxyType({option.key: option for option in _walk(RunConfig, "")})


@functools.cache
def sections() -> Mapping[str, str]:
    """Every section by dotted key ('sleep', 'sleep.replay', ...), with what it is about, in the schema's order."""

    def walk(section: type, prefix: str) -> Iterator[tuple[str, str]]:
        hints = typing.get_type_hints(section)
        for field in dataclasses.fields(section):
            inner = hints[field.name]
            if dataclasses.is_dataclass(inner) and isinstance(inner, type):
                yield prefix + field.name, (inner.__doc__ or "").strip()
                yield from walk(inner, f"{prefix}{field.name}.")

    return types.MappingProxyType(dict(walk(RunConfig, "")))


def _walk(section: type, prefix: str) -> Iterator[Option]:
    hints = typing.get_type_hints(section)
    for field in dataclasses.fields(section):
        hint = hints[field.name]
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from _walk(hint, f"{prefix}{field.name}.")
        else:
            yield _option(prefix + field.name, hint, field)


def _option(key: str, hint: Any, field: dataclasses.Field[Any]) -> Option:
    arguments = typing.get_args(hint)
    optional = types.NoneType in arguments
    if optional:
        hint = next(kind for kind in arguments if kind is not types.NoneType)
    metadata = dict(field.metadata)
    choices: Sequence[str] | None = metadata.pop("choices")
    return Option(
        key=key,
        type=typing.get_origin(hint) or hint,
        optional=optional,
        default=field.default,
        choices=None if choices is None else tuple(choices),
        **metadata,
    )


def _plain(number: float | None) -> str:
    """A bound as a reader would write it: 65536, 0.3."""
    return f"{number:g}" if number is not None and abs(number) < 1e6 else str(number)


def _shown(given: object) -> str:
    """What was given, in YAML's words and not too long; text is quoted, so that '3' is told from 3."""
    if given is None or isinstance(given, bool):
        return str(given).lower().replace("none", "null")
    if isinstance(given, int) and given.bit_length() > 256:
        return "a number of more than 77 digits"
    text = repr(given)
    return text if len(text) <= 80 else f"{text[:77]}..."
