"""The groups of conf/: which choices there are, and what each file sets. Reads YAML; knows nothing of hydra.

Groups lie beside the package (a clone, or an editable installation); a conf/ in the working directory adds choices of
its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleep_tune.config.options import sections
from sleep_tune.config.tree import flatten
from sleep_tune.config.yaml_file import read_yaml
from sleep_tune.errors import ConfigError

__all__ = ["Choices", "default_choices", "folders", "groups", "settings"]

GLOBAL = "# @package _global_"
"""Hydra's header of a file that sets options of any section."""

Choices = Mapping[str, Path]
"""Choice -> its file."""


def folders() -> list[Path]:
    """The conf/ folders that exist: the repository's, then the working directory's if that is another.

    Raises:
        ConfigError: the repository's is not there, as in an installation that is not editable.
    """
    own = Path(__file__).resolve().parents[2] / "conf"
    here = Path.cwd() / "conf"
    if not (own / "config.yaml").is_file():
        raise ConfigError(f"the configuration groups must lie in {own}; got no config.yaml there (use a clone)")
    return [own, here] if here.is_dir() and here.resolve() != own.resolve() else [own]


def groups() -> dict[str, Choices]:
    """Every group, in the schema's order, with its choices in alphabetical order.

    Raises:
        ConfigError: a choice that both folders have, so that it is not clear which is meant.
    """
    found: dict[str, dict[str, Path]] = {}
    for folder in folders():
        for section in sections():
            for file in sorted((folder / section).glob("*.yaml")):
                other = found.setdefault(section, {}).setdefault(file.stem, file)
                if other != file:
                    raise ConfigError(f"{section}={file.stem} must be one file; got {other} and {file}: rename yours")
    return {section: dict(sorted(found[section].items())) for section in sections() if section in found}


def default_choices() -> dict[str, str]:
    """The choice that conf/config.yaml makes for each group."""
    entries = read_yaml(folders()[0] / "config.yaml")["defaults"]
    return {group: choice for entry in entries if isinstance(entry, dict) for group, choice in entry.items()}


def settings(group: str, file: Path) -> dict[str, Any]:
    """What a choice's own file sets, by dotted key; what it builds on (`defaults`) is not followed.

    A file whose first line is `# @package _global_` sets options of any section, every other one those of its group.

    Raises:
        ConfigError: the file is no YAML, or has a key that is no option; the message names the file.
    """
    content = read_yaml(file)
    content.pop("defaults", None)
    whole = file.read_text(encoding="utf-8").startswith(GLOBAL)
    try:
        return flatten(content if whole else {group: content})
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
