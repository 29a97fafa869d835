"""Options of a section, read from its dataclass: meaning, type, default and range, and the check of one value.

Rules between two options are in rules.py.
"""

import dataclasses
import functools
import math
import types
import typing
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sleep_tune.config.entry import shown
from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.import_paths import FORM, is_import_path

__all__ = ["AUTO", "Option", "options", "section_fields", "sections"]

EXPECTED = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a mapping of names to plain values",
}

SEVERAL = {str: "texts", int: "whole numbers", float: "numbers"}

AUTO = "auto"
"""The word that stands for a number where the option's declaration says `auto=True`."""

DEEPEST = 8
"""Levels that a mapping may nest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option: its meaning, type, default and range."""

    key: str
    """Dotted, as written on the command line: sleep.replay.ratio."""
    doc: str
    item: type = float
    """Type of a tuple's items, float, int or str; with `choices`, they are different ones of these."""
    type: type
    """str, int, float, bool, tuple, or dict (of plain values)."""
    optional: bool
    """Whether null is a value."""
    default: Any
    low: float | None = None
    high: float | None = None
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] | None = None
    auto: bool = False
    """Whether the word auto is a value, beside numbers."""
    extensible: bool = False
    """Whether an import path is a value, beside `choices`."""
    several: bool = False
    """Whether a list of texts is a value, beside a text."""

    @property
    def expected(self) -> str:
        """What a value must be, in words: 'a number in (0, 1]', 'one of: random, strict, weighted'."""
        if self.choices is not None:
            return f"{'a list of' if self.type is tuple else 'one of'}: {', '.join(self.choices)}{self._or_form}"
        words = f"a list of {SEVERAL[self.item]}" if self.type is tuple else EXPECTED[self.type]
        if self.several:
            words += ", a list of texts"
        if self.range:
            words += f" {self.range}" if self.range[0] not in "[(" else f" in {self.range}"
        return words + (" or null" if self.optional else "") + (f" or {AUTO}" if self.auto else "")

    @property
    def range(self) -> str:
        """The range alone: '(0, 1]', '>= 1', or '' where any value of the type is valid."""
        if self.low is None and self.above is None:
            return ""
        floor = f"[{_bound(self.low)}" if self.low is not None else f"({_bound(self.above)}"
        if self.high is not None:
            return f"{floor}, {_bound(self.high)}]"
        if self.below is not None:
            return f"{floor}, {_bound(self.below)})"
        return f">= {_bound(self.low)}" if self.low is not None else f"> {_bound(self.above)}"

    def check(self, value: object) -> Any:
        """Return `value` as the dataclass holds it: an int given for a float becomes a float, a list a tuple.

        Raises:
            ConfigError: wrong type, out of range, or not among the choices; the message names the key, what must
                hold and what was given. A bool is not a number, and text is never read as one; a
                whole number may stand for a choice that is written alike.
        """
        if (value is None and self.optional) or (self.auto and value == AUTO):
            return value
        if self.type is tuple:
            if not isinstance(value, list | tuple):
                raise self._refuse(value)
            if self.choices is not None:
                return self._names(value)
            return tuple(self._item(item, value) for item in value)
        if self.type is dict:
            if not isinstance(value, Mapping):
                raise self._refuse(value)
            return self._plain(value)
        if self.type in (int, float):
            return self._number(value, value)
        if self.several and isinstance(value, list | tuple) and value:
            return tuple(self._text_item(item, value) for item in value)
        if self.choices is not None and isinstance(value, int) and str(value) in self.choices:
            return str(value)  # a year, which YAML reads as a number
        if not isinstance(value, self.type):
            raise self._refuse(value)
        if self.choices is not None:
            self._check_choice(value)
        return self._text(value) if isinstance(value, str) else value

    @property
    def _or_form(self) -> str:
        return f", or {FORM}" if self.extensible else ""

    def _check_choice(self, value: object) -> None:
        if value not in (self.choices or ()) and not (self.extensible and is_import_path(value)):
            module, _, function = str(value).rpartition(".")
            meant = f"{module}:{function}"
            hint = f"; did you mean {meant}?" if self.extensible and is_import_path(meant) else ""
            raise ConfigError(unknown(self.key, value, self.choices or ()) + self._or_form + hint)

    def _item(self, item: object, given: object) -> float | str:
        return self._number(item, given) if self.item is not str else self._text_item(item, given)

    def _text_item(self, item: object, given: object) -> str:
        if not isinstance(item, str):
            raise self._refuse(given)
        return self._text(item)

    def _text(self, value: str) -> str:
        if not value.strip():
            raise ConfigError(f"{self.key} must be {self.expected}; got empty text")
        return self._printable(value, self.key)

    def _printable(self, value: str, key: str) -> str:
        if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in value):
            raise ConfigError(f"{key} must be text without control characters, in UTF-8; got {shown(value)}")
        return value

    def _plain(self, value: object, name: str = "", depth: int = 0) -> Any:
        """Return a copy of what a mapping holds: text, numbers, true, false, null, lists and mappings of these.

        Args:
            value: the mapping, or a value in it.
            name: dotted, of the value in the mapping.
            depth: levels that were entered.
        """
        key = f"{self.key}.{name}" if name else self.key
        if isinstance(value, Mapping) and depth < DEEPEST:
            if strange := [inner for inner in value if not isinstance(inner, str)]:
                raise ConfigError(f"{key} must have names that are text; got {shown(strange[0])}")
            return {
                inner: self._plain(part, f"{name}.{inner}" if name else inner, depth + 1)
                for inner, part in value.items()
            }
        if isinstance(value, list | tuple) and depth < DEEPEST:
            return [self._plain(part, name, depth + 1) for part in value]
        if isinstance(value, str):
            return self._printable(value, key)
        is_plain = value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value))
        if not is_plain:
            raise ConfigError(f"{key} must be text, a finite number, true, false, null or a list; got {shown(value)}")
        return value

    def _names(self, values: Collection[object]) -> tuple[str, ...]:
        """Return `values` if they are different choices."""
        for value in values:
            self._check_choice(value)
        if len(set(values)) < len(values):
            raise ConfigError(f"{self.key} must name each at most once; got {shown(list(values))}")
        return tuple(str(value) for value in values)

    def _number(self, value: object, given: object) -> float:
        """Return `value` as a finite number in range; `given` is what the message quotes."""
        is_whole = int in (self.type, self.item)
        if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
            raise self._refuse(given)
        if not self._in_range(value):
            raise self._refuse(given)
        try:
            return value if is_whole else float(value)
        except OverflowError:  # an int may be larger than any float
            raise self._refuse(given) from None

    def _in_range(self, value: float) -> bool:
        """Return whether a number is finite and in the range; a NaN is in none."""
        return (
            abs(value) < math.inf
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def _refuse(self, given: object) -> ConfigError:
        return ConfigError(f"{self.key} must be {self.expected}; got {shown(given)}")


@functools.cache
def section_fields(section: type, key: str = "") -> Mapping[str, Option | type]:
    """Return what a section holds, by name: options, and the dataclasses of the sections inside it.

    Args:
        section: a dataclass whose options are declared by `schema.option`.
        key: of the section, dotted; '' for a root.
    """
    hints = typing.get_type_hints(section)
    prefix = f"{key}." if key else ""
    return types.MappingProxyType(
        {
            field.name: hints[field.name]
            if dataclasses.is_dataclass(hints[field.name])
            else _option(prefix + field.name, hints[field.name], field)
            for field in dataclasses.fields(section)
        }
    )


@functools.cache
def options() -> Mapping[str, Option]:
    """Return every option of a run by dotted key, in the schema's order."""
    return types.MappingProxyType({key: part for key, part in _walk(RunConfig, "") if isinstance(part, Option)})


@functools.cache
def sections() -> Mapping[str, str]:
    """Return every section of a run by dotted key ('sleep', 'sleep.replay', ...) with its meaning, in schema order."""
    parts = {key: part for key, part in _walk(RunConfig, "") if isinstance(part, type)}
    return types.MappingProxyType({key: (section.__doc__ or "").strip() for key, section in parts.items()})


def _walk(section: type, key: str) -> Iterator[tuple[str, Option | type]]:
    for name, part in section_fields(section, key).items():
        inner = f"{key}.{name}" if key else name
        yield inner, part
        if isinstance(part, type):
            yield from _walk(part, inner)


def _option(key: str, hint: Any, field: dataclasses.Field[Any]) -> Option:
    """Return the option that a field declares; of a number that may be auto, the type is the number's."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    kind = next(kind for kind in kinds if kind is not types.NoneType)
    factory = field.default_factory
    return Option(
        key=key,
        type=typing.get_origin(kind) or kind,
        item=next(iter(typing.get_args(kind)), float),
        optional=types.NoneType in kinds,
        default=field.default if factory is dataclasses.MISSING else factory(),
        **field.metadata,
    )


def _bound(number: float | None) -> str:
    """Return a bound as a reader would write it: 65536, 0.3."""
    return f"{number:g}" if number is not None and abs(number) < 1e6 else str(number)
