"""A run's configuration as a nested dictionary, and back: the form that files, searches and processes exchange."""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from sleep_tune.config.checker import read_section
from sleep_tune.config.entry import Entry
from sleep_tune.config.foreign_names import find_foreign_name
from sleep_tune.config.options import options, sections
from sleep_tune.config.rules import check_rules
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.errors import ConfigError, nearest, shortened

__all__ = ["Tree", "assign", "flatten", "from_dict", "to_dict", "unknown_key"]

Tree = dict[str, Any]
"""A configuration as nested dictionaries of plain values."""


def to_dict(config: RunConfig) -> Tree:
    """Return the options of `config` as nested dictionaries of plain values, in schema order; tuples become lists."""

    def plain(value: Any) -> Any:
        if dataclasses.is_dataclass(value):
            return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return list(value) if isinstance(value, tuple) else value

    return typing.cast(Tree, plain(config))


def from_dict(tree: Mapping[str, Any]) -> RunConfig:
    """Return the configuration that `tree` describes; options that it leaves out have the schema's default.

    Where exactly one of several options is set (`ONE_OF`), one that the tree sets replaces a default of its siblings.

    Raises:
        ConfigError: unknown keys (the nearest one is named), wrong types, values out of range or not among the
            choices; if there are none of these, options that do not fit together. All of them are reported.
        BudgetError: a sleep that no corpus could fit into this budget, and nothing else is wrong.
    """
    root = Entry(tree)
    config = read_section(RunConfig, root, unknown_key)
    root.mistakes.check()
    check_rules(config)
    return config


def assign(tree: Tree, key: str, value: Any) -> None:
    """Set the option `key` (dotted) of `tree` in place; setting one of a `ONE_OF` section clears its siblings.

    Raises:
        ConfigError: `key` is no option (the nearest is named), or `value` is not valid for it.
    """
    if key not in options():
        raise ConfigError(unknown_key(key))
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
    """Return the options of a nested dictionary by dotted key; their values are not checked.

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
                raise ConfigError(unknown_key(key))
            elif isinstance(value, Mapping):
                walk(value, f"{key}.")
            else:
                raise ConfigError(f"{key} must be a mapping of {', '.join(_inside(key))}; got {value!r}")

    walk(tree, "")
    return found


def unknown_key(key: str) -> str:
    """Return a message that `key` is no option of a run: the nearest one, and what its section holds.

    Where the key is another tool's name, the message says what is written here instead.
    """
    if key in sections():
        return f"{key} is a section, not an option; set one of: {', '.join(_inside(key))}"
    foreign = find_foreign_name(key)
    if foreign is not None:
        return f"unknown option '{shortened(key)}'; {foreign.hint}"
    section = key.rpartition(".")[0]
    if section in options():
        name = key.removeprefix(f"{section}.")
        return f"unknown option '{shortened(key)}'; {section} is set as a whole, as in {section}={{{name}: ...}}"
    while section not in sections() and section:
        section = section.rpartition(".")[0]
    close = _nearest_key(key)
    hint = f" did you mean '{close}'? There" if close else " there"
    return f"unknown option '{shortened(key)}';{hint} are: {', '.join(_inside(section))}"


def _nearest_key(key: str) -> str | None:
    """Return an option of the same name elsewhere; else the most similar name in its section, or anywhere."""
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
    """Return what a section ('' is the root) holds directly: options, and sections as 'sleep.replay.*'."""
    prefix = f"{section}." if section else ""
    inside = [name for name in [*options(), *sections()] if name.startswith(prefix) and "." not in name[len(prefix) :]]
    return [f"{name}.*" if name in sections() else name for name in inside]
