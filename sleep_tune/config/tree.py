"""A configuration as a nested dictionary, and back: the form that files, searches and processes exchange.

Knows nothing of YAML or of command lines; every value that comes in is checked against its option.
"""

import dataclasses
import functools
import typing
from collections.abc import Mapping
from typing import Any

from sleep_tune.config.check import check
from sleep_tune.config.options import options, sections
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.errors import ConfigError, nearest, shortened

__all__ = ["assign", "flatten", "from_dict", "to_dict", "unknown_key"]

Tree = dict[str, Any]


def to_dict(config: RunConfig) -> Tree:
    """Every option of `config` as nested dictionaries of plain values (a tuple becomes a list), in schema order."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return list(value) if isinstance(value, tuple) else value

    return typing.cast(Tree, plain(config))


def from_dict(tree: Mapping[str, Any]) -> RunConfig:
    """Build the configuration that `tree` describes; what it leaves out has the schema's default.

    Where exactly one of several options is set (`ONE_OF`), one that the tree sets replaces a default of its siblings.

    Raises:
        ConfigError: an unknown key (the nearest one is named), a wrong type, a value out of range or not among the
            choices, or options that do not fit together.
        BudgetError: a sleep that no corpus could fit into this budget.
    """
    values = {key: options()[key].check(value) for key, value in flatten(tree).items()}
    for section, members in ONE_OF.items():
        keys = [f"{section}.{member}" for member in members]
        if any(values.get(key) is not None for key in keys):
            values = dict.fromkeys(keys) | values
    config = typing.cast(RunConfig, _build(RunConfig, "", values))
    check(config)
    return config


def assign(tree: Tree, key: str, value: Any) -> None:
    """Set the option `key` (dotted) of `tree` in place; setting one of a `ONE_OF` section clears its siblings.

    Raises:
        ConfigError: `key` is no option (the nearest is named), or `value` is none that it can have.
    """
    if key not in options():
        raise unknown_key(key)
    checked = options()[key].check(value)
    *parents, name = key.split(".")
    section = tree
    for parent in parents:
        section = section.setdefault(parent, {})
    members = ONE_OF.get(".".join(parents), ())
    if checked is not None and name in members:
        section.update(dict.fromkeys(members))
    section[name] = list(checked) if isinstance(checked, tuple) else checked


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a nested dictionary by dotted key; their values are not checked.

    Raises:
        ConfigError: a key that is neither a section nor an option, or a section that is not a mapping.
    """
    found: dict[str, Any] = {}

    def walk(node: Mapping[Any, Any], prefix: str) -> None:
        for name, value in node.items():
            key = f"{prefix}{name}"
            if key in options():
                found[key] = value
            elif key not in sections():
                raise unknown_key(key)
            elif isinstance(value, Mapping):
                walk(value, f"{key}.")
            else:
                raise ConfigError(f"{key} must be a mapping of {', '.join(_inside(key))}; got {value!r}")

    walk(tree, "")
    return found


def unknown_key(key: str) -> ConfigError:
    """The error that says that `key` is no option: what it might have meant, and what stands beside it."""
    if key in sections():
        return ConfigError(f"{key} is a section, not an option; set one of: {', '.join(_inside(key))}")
    section = key.rpartition(".")[0]
    while section not in sections() and section:
        section = section.rpartition(".")[0]
    close = _meant(key)
    hint = f" did you mean '{close}'? There" if close else " there"
    return ConfigError(f"unknown option '{shortened(key)}';{hint} are: {', '.join(_inside(section))}")


def _meant(key: str) -> str | None:
    """An option of the same name elsewhere; or the name beside it, the whole key, or the name anywhere spelt alike."""
    section, _, last = key.rpartition(".")
    names: dict[str, list[str]] = {}
    for option in options():
        names.setdefault(option.rpartition(".")[2], []).append(option)
    if last in names:
        return nearest(key, names[last]) or names[last][0]
    known = [*options(), *sections()]
    if section in sections():
        beside = {name.rpartition(".")[2]: name for name in known if name.rpartition(".")[0] == section}
        close = nearest(last, beside)
        if close is not None:
            return beside[close]
    elif (close := nearest(key, known)) is not None:
        return close
    similar = nearest(last, names)
    return names[similar][0] if similar else None


def _inside(section: str) -> list[str]:
    """What stands directly in a section ('' is the root): options, and sections as 'sleep.replay.*'."""
    prefix = f"{section}." if section else ""
    inside = [name for name in [*options(), *sections()] if name.startswith(prefix) and "." not in name[len(prefix) :]]
    return [f"{name}.*" if name in sections() else name for name in inside]


def _build(section: type, prefix: str, values: Mapping[str, Any]) -> Any:
    hints = _type_hints(section)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(section):
        key = f"{prefix}{field.name}"
        inner = hints[field.name]
        if key in sections():
            given[field.name] = _build(inner, f"{key}.", values)
        elif key in values:
            given[field.name] = values[key]
    return section(**given)


_type_hints = functools.cache(typing.get_type_hints)
"""Of a section. They are evaluated anew at each call, which was a third of the time of a trial that trains nothing."""
