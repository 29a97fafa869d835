"""Check of the values that users write: they become a typed section, or mistakes with file and line.

It serves the configuration of a run and the sections of a search space. Each option's dataclass declares its valid
values (`schema.option`).
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from sleep_tune.config.entry import Entry, shown
from sleep_tune.config.options import Option, section_fields
from sleep_tune.config.schema import ONE_OF
from sleep_tune.errors import ConfigError

__all__ = ["check_one_of", "check_value", "one_of_text", "read_section"]

Section = TypeVar("Section")


def read_section(
    section: type[Section], entry: Entry, unknown_key: Callable[[str], str | None] | None = None
) -> Section:
    """Return a section with the values that were given for it, and defaults for the others.

    Mistakes in its options are kept in `entry.mistakes`: an unknown key, a wrong type, a value out of range. Such an
    option has its default, and `entry.is_sound` is then False.

    Args:
        section: a dataclass whose options are declared by `schema.option`.
        entry: what was given.
        unknown_key: see `Entry.fields`.

    Raises:
        ConfigError: it is no mapping.
    """
    parts: Mapping[str, Option | type] = section_fields(section, entry.key)  # type: ignore[arg-type]
    given: dict[str, Any] = {}
    for name, inner in entry.fields(parts, unknown_key).items():
        part = parts[name]
        with entry.mistakes:
            given[name] = (
                check_value(part, inner) if isinstance(part, Option) else read_section(part, inner, unknown_key)
            )
    members = ONE_OF.get(entry.key, ())
    chosen = [name for name in members if given.get(name) is not None]
    if len(chosen) > 1:
        text = one_of_text(entry.key, {name: given[name] for name in chosen})
        entry.mistakes.add(entry.inside(chosen[1]).error(text))
    return section(**(dict.fromkeys(members) | given if chosen else given))


def check_value(option: Option, entry: Entry) -> Any:
    """Return the value of an entry as its option's dataclass holds it.

    Raises:
        ConfigError: it is not valid; the message begins with where it was written.
    """
    try:
        return option.check(entry.value)
    except ConfigError as error:
        raise entry.error(str(error)) from None


def check_one_of(entry: Entry, values: Mapping[str, Any]) -> None:
    """Keep a mistake where options are set of which only one can be (`ONE_OF`).

    Args:
        entry: a mapping of options by dotted key.
        values: the valid ones among its values.
    """
    for section, members in ONE_OF.items():
        given = {name: values[key] for name in members if values.get(key := f"{section}.{name}") is not None}
        if len(given) > 1:
            second = entry.inside(f"{section}.{list(given)[1]}")
            entry.mistakes.add(second.error(one_of_text(section, given)))


def one_of_text(section: str, given: Mapping[str, Any]) -> str:
    """Return a message that exactly one option of a `ONE_OF` section must be set.

    Args:
        section: dotted.
        given: the values of those that are set, by name.
    """
    keys = ", ".join(f"{section}.{name}" for name in ONE_OF[section])
    settings = " and ".join(f"{section}.{name}={shown(value)}" for name, value in given.items())
    return f"set exactly one of {keys}; got {settings or 'none'}"
