"""The groups of conf/: which choices there are, and what each file sets. Reads YAML; knows nothing of hydra.

Groups lie beside the package (a clone, or an editable installation); a conf/ in the working directory adds choices of
its own.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.config.options import sections
from sleep_tune.errors import ConfigError

__all__ = ["Choices", "default_choices", "folders", "groups", "read_yaml"]

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


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a file of conf/ (or a run's config.yaml) holds; an empty file is an empty mapping.

    A number may be written 1e-5, which YAML 1.1 would read as text; yes, no, on and off are text, not booleans.

    Raises:
        ConfigError: the file is not UTF-8, not YAML or not a mapping; the message names file and line.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line} must be YAML; got {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} must be YAML in UTF-8; got {str(error).splitlines()[0]}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold a mapping of options; got {type(content).__name__}")
    return content


class _Loader(yaml.SafeLoader):
    """YAML 1.2's numbers and booleans."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - copied, so that yaml's own loaders stay as they are
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":float", ":timestamp"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), [*"tTfF"]
)
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(
        r"^[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"
    ),
    [*"-+0123456789."],
)
