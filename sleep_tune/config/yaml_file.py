"""YAML as its readers expect it: 1e-5 is a number, yes and off are text, a key comes once. Knows no options."""

import re
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.errors import ConfigError

__all__ = ["Loader", "read_yaml"]


class Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's scalars (no dates, no base-60 numbers), that refuses a key given twice."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a table of its own, so that yaml's loaders stay as they are
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_yaml_int(self, node: yaml.ScalarNode) -> int:
        """A decimal number, zeros in front or not; yaml would read 010 as 8."""
        return int(self.construct_scalar(node))

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node.

        Raises:
            yaml.constructor.ConstructorError: a key comes twice, where yaml would silently keep the last.
        """
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"the key '{key.value}' twice", key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)

    def get_single_node(self) -> yaml.Node | None:
        """The document's root.

        Raises:
            yaml.constructor.ConstructorError: its aliases, written out, are more than any configuration holds.
        """
        root: yaml.Node | None = super().get_single_node()
        if root is not None and _values(root, {}) > MOST_VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f"aliases that stand for more than {MOST_VALUES:,} values", root.start_mark
            )
        return root


MOST_VALUES = 100_000
"""Values in a file: a few lines of aliases of aliases would stand for billions, and fill the memory when printed."""


def _values(node: yaml.Node, known: dict[int, int]) -> int:
    """How many values a node holds once its aliases are written out; `known` holds those of nodes seen before."""
    if id(node) not in known:
        known[id(node)] = MOST_VALUES + 1  # of one that holds itself, which has no end
        parts = [part for pair in node.value for part in pair] if isinstance(node, yaml.MappingNode) else node.value
        known[id(node)] = 1 + (0 if isinstance(node, yaml.ScalarNode) else sum(_values(one, known) for one in parts))
    return known[id(node)]


SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
"""Type -> what its plain scalars look like, and their first letters."""

for _name, (_pattern, _first) in SCALARS.items():
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))
Loader.add_constructor("tag:yaml.org,2002:int", Loader.construct_yaml_int)


def read_yaml(file: Path) -> dict[str, Any]:
    """The mapping that a file holds; an empty file is an empty mapping.

    Raises:
        ConfigError: the file is not UTF-8, not YAML or not a mapping; the message names file and line.
    """
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), Loader=Loader)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{file}{line} must be YAML; got {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} must be YAML in UTF-8; got {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ConfigError(f"{file} must be nested less deeply") from None
    except ValueError as error:  # a number of thousands of digits
        raise ConfigError(f"{file} must hold numbers of a reasonable size; got one that is not ({error})") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"{file} must hold a mapping of options; got {type(content).__name__}")
    return content
