"""YAML with the line of everything in it, so that whoever reads it can say where a mistake is. Knows no keys.

Scalars are read as configuration files are (`config.yaml_file`): 1e-5 is a number, yes and off are text. Aliases, tags
and keys that are not text are refused: a search space needs none, and each hides where a value was written.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from sleep_tune.config.yaml_file import Loader
from sleep_tune.errors import ConfigError

__all__ = ["Document", "Path", "read_document", "read_value"]

Path = tuple[str | int, ...]
"""Keys and indices from the root to a value."""

DEEPEST = 50
"""Levels that a document may nest."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a text holds, and the line (from 1) on which each value was written."""

    value: Any
    lines: dict[Path, int] = field(default_factory=dict)


class _Loader(Loader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem=f"expected a value, got the alias *{event.anchor}", problem_mark=event.start_mark
            )
        return super().compose_node(parent, index)


def read_document(text: str, name: str) -> Document:
    """Read a whole YAML text.

    Args:
        text: the YAML.
        name: what messages call it: its path as the user gave it.

    Raises:
        ConfigError: not YAML, a key given twice, or something that is refused; the message begins with name:line.
    """
    document = Document(None)
    try:
        node = yaml.compose(text, Loader=_Loader)
        value = None if node is None else _value(node, (), document.lines)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{name}:{line}: not YAML: {_sentence(error)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{name}:{line}: not YAML: the character {chr(error.character)!r} is not allowed") from error
    except RecursionError as error:
        raise ConfigError(f"{name}:1: not YAML: nested too deeply") from error
    return Document(value, document.lines)


def read_value(text: str, name: str) -> Any:
    """Read the YAML value of one command-line override.

    Raises:
        ConfigError: as `read_document`; the message begins with `name`.
    """
    try:
        return read_document(text, name).value
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"{name}:1:", f"{name}:", 1)) from error


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "'\\t'" in problem:
        return "a tab where spaces are expected"
    return (
        f"{problem} {error.context}" if error.context and error.context.startswith("while parsing a flow") else problem
    )


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    line = node.start_mark.line + 1
    lines.setdefault(path, line)
    if len(path) > DEEPEST:
        raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=node.start_mark)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = _scalar(key) if isinstance(key, yaml.ScalarNode) else None
            if not isinstance(name, str):
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise yaml.MarkedYAMLError(problem=f"a key must be text, got {shown}", problem_mark=key.start_mark)
            if name in found:
                first = lines[*path, name]
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{name}' is given twice, first on line {first}", problem_mark=key.start_mark
                )
            lines[*path, name] = key.start_mark.line + 1
            found[name] = _value(value, (*path, name), lines)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), lines) for index, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    return _scalar(node)


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    text = node.value
    match tag:
        case "str" | "merge":
            return str(text)
        case "null":
            return None
        case "bool":
            return str(text).lower() == "true"
        case "int":
            if len(text) > 100:
                raise yaml.MarkedYAMLError(problem="a number of over 100 digits", problem_mark=node.start_mark)
            return int(text)
        case "float":
            return float(
                text.replace(".inf", "inf").replace(".Inf", "inf").replace(".INF", "inf").replace(".nan", "nan")
            )
    raise yaml.MarkedYAMLError(problem=f"the tag {node.tag} is not allowed", problem_mark=node.start_mark)
