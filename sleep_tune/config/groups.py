"""The groups of conf/: their choices, and what the file of each choice sets.

Groups come with the package; a conf/ in the working directory adds choices of its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleep_tune.config.checker import check_value, read_section
from sleep_tune.config.entry import Entry
from sleep_tune.config.foreign_names import find_foreign_name
from sleep_tune.config.options import options, sections
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.config.tree import flatten, unknown_key
from sleep_tune.config.yaml_file import read_file, read_yaml
from sleep_tune.errors import ConfigError, nearest, unknown
from sleep_tune.installation import CONF

__all__ = [
    "Choices",
    "default_choices",
    "folders",
    "group_settings",
    "groups",
    "is_interpolated",
    "override_settings",
    "read_setting",
]

GLOBAL = "# @package _global_"
"""Hydra's header of a file that sets options of any section."""

Choices = Mapping[str, Path]
"""Choice -> its file."""


def folders() -> list[Path]:
    """Return the conf/ folders that exist: the package's, then the working directory's if that is another.

    Raises:
        ConfigError: the package's is missing.
    """
    here = Path.cwd() / "conf"
    if not (CONF / "config.yaml").is_file():
        raise ConfigError(f"the configuration groups must lie in {CONF}; got no config.yaml there: install it again")
    return [CONF, here] if here.is_dir() and here.resolve() != CONF.resolve() else [CONF]


def groups() -> dict[str, Choices]:
    """Return every group, in the schema's order, with its choices in alphabetical order.

    Raises:
        ConfigError: a choice that both folders have, with other contents.
    """
    found: dict[str, dict[str, Path]] = {}
    for folder in folders():
        for section in sections():
            for file in sorted((folder / section).glob("*.yaml")):
                other = found.setdefault(section, {}).setdefault(file.stem, file)
                if other != file and other.read_bytes() != file.read_bytes():  # the same file lies in a clone
                    is_clone = (folder / "config.yaml").exists()
                    remedy = "work in another folder, or with that clone" if is_clone else "rename yours"
                    raise ConfigError(f"{section}={file.stem} must be one file; got {other} and {file}: {remedy}")
    return {section: dict(sorted(found[section].items())) for section in sections() if section in found}


def default_choices() -> dict[str, str]:
    """Return the choice that conf/config.yaml makes for each group."""
    entries = read_yaml(folders()[0] / "config.yaml")["defaults"]
    return {group: choice for entry in entries if isinstance(entry, dict) for group, choice in entry.items()}


def group_settings(group: str, file: Path) -> dict[str, Any]:
    """Return what a choice's own file sets, by dotted key; files that it builds on (`defaults`) are not followed.

    A file whose first line is `# @package _global_` sets options of any section, every other one those of its group.

    Raises:
        ConfigError: the file is not YAML, or has a key that is no option or a value that is not valid; every mistake
            with its line.
    """
    document = read_file(file)
    content = {} if document.value is None else document.mapping("a mapping of options")
    tree = {key: entry.value for key, entry in content.items() if key != "defaults"}
    places = document.places
    if not file.read_text(encoding="utf-8").startswith(GLOBAL):
        tree = {group: tree}
        places = {(group, *path): place for path, place in places.items()}
    read_section(RunConfig, Entry(_without_interpolations(tree), (), places, document.mistakes), unknown_key)
    document.mistakes.check()
    return flatten(tree)


def read_setting(key: str, entry: Entry, choices: Mapping[str, Choices]) -> Any:
    """Return the choice of a group, or the value of an option.

    Args:
        key: a group or a dotted key.
        entry: what was given for it.
        choices: what `groups` returns.

    Raises:
        ConfigError: no such group or option, or a choice or value that it does not have.
    """
    if key in choices:
        if not isinstance(entry.value, str):
            raise entry.wrong(f"one of: {', '.join(choices[key])}")
        if entry.value not in choices[key]:
            raise entry.error(unknown(key, entry.value, choices[key]))
        return entry.value
    if key not in options():
        is_group = "." not in key and nearest(key, choices) is not None and find_foreign_name(key) is None
        raise entry.error(unknown("group", key, choices) if is_group else unknown_key(key))
    return check_value(options()[key], entry)


def override_settings(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `overrides` applied; both hold choices of groups and options by dotted key.

    An override also removes from the base what it excludes (`ONE_OF`), and the choice of a group every option of the
    group's section.
    """
    kept = dict(base)
    for key, value in overrides.items():
        section, _, name = key.rpartition(".")
        if value is not None and name in ONE_OF.get(section, ()):
            for other in ONE_OF[section]:
                kept.pop(f"{section}.{other}", None)
        if not section:
            kept = {other: kept[other] for other in kept if not other.startswith(f"{key}.")}
    return kept | dict(overrides)


def is_interpolated(value: object) -> bool:
    """Return whether a value refers to another (`${...}`), so that it can be checked only when it is resolved."""
    return isinstance(value, str) and "${" in value


def _without_interpolations(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _without_interpolations(value) if isinstance(value, dict) else value
        for key, value in tree.items()
        if not is_interpolated(value)
    }
