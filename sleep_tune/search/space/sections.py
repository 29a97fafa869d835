"""Sections of a search space, read into their dataclasses by the options that these declare. Knows none by name."""

import dataclasses
import types
import typing
from typing import Any, TypeVar

from sleep_tune.config.options import Option
from sleep_tune.errors import ConfigError
from sleep_tune.search.space.entry import Entry

__all__ = ["read_section", "section_options"]

Section = TypeVar("Section")

AUTO = "auto"


def section_options(section: type, name: str) -> dict[str, Option]:
    """The options of a section by their names in it; `choices=('auto',)` on a number means that auto is one too."""
    hints = typing.get_type_hints(section)
    found = {}
    for field in dataclasses.fields(section):
        hint = hints[field.name]
        kinds = set(typing.get_args(hint)) if isinstance(hint, types.UnionType) else {typing.get_origin(hint) or hint}
        optional = types.NoneType in kinds
        metadata = dict(field.metadata)
        if metadata["choices"] == (AUTO,):
            kinds.discard(str)
            metadata["choices"] = None
        (kind,) = kinds - {types.NoneType} if len(kinds) > 1 else kinds
        found[field.name] = Option(
            key=f"{name}.{field.name}", type=kind, optional=optional, default=field.default, **metadata
        )
    return found


def read_section(section: type[Section], entry: Entry) -> Section:
    """Build a section from what was given for it; the rest has its defaults.

    Mistakes in its options are kept (`Found`): an unknown key, a wrong type, a value out of range. Such an
    option has its default, and `entry.sound` says that there is one.

    Raises:
        ConfigError: it is no mapping.
    """
    assert dataclasses.is_dataclass(section)
    options = section_options(section, entry.key)
    given: dict[str, Any] = {}
    for name, inner in entry.fields(tuple(options)).items():
        with inner.found:
            given[name] = check(options[name], inner, auto=_knows_auto(section, name))
    return section(**given)


def check(option: Option, entry: Entry, *, auto: bool = False) -> Any:
    """The value of an entry as an option holds it.

    Raises:
        ConfigError: it is none of the option's; the message says where.
    """
    if auto and entry.value == AUTO:
        return AUTO
    try:
        return option.check(entry.value)
    except ConfigError as error:
        hint = f" (or {AUTO})" if auto else ""
        raise entry.error(f"{error}{hint}") from error


def _knows_auto(section: type, name: str) -> bool:
    (field,) = (field for field in dataclasses.fields(section) if field.name == name)
    return bool(field.metadata["choices"] == (AUTO,))
