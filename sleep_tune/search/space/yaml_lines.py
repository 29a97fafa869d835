"""YAML with the line of everything in it, so that whoever reads it can say where a mistake is. Knows no keys.

What is no YAML ends the reading, as nothing after it has a meaning; a value that is YAML and is refused is a `Problem`.

Scalars are read as configuration files are (`config.yaml_file`): 1e-5 is a number, yes and off are text. Aliases, tags
and keys that are not text are refused: a search space needs none, and each hides where a value was written.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from sleep_tune.config.yaml_file import Loader
from sleep_tune.errors import ConfigError

__all__ = ["Document", "Path", "Problem", "read_document", "read_value"]

Path = tuple[str | int, ...]
"""Keys and indices from the root to a value."""

KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")

COLLECTION_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

DEEPEST = 50
"""Levels that a document may nest."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that is refused, or a key: the value is None in the document, the key is not there."""

    path: Path
    line: int
    text: str


@dataclass(slots=True)
class Document:
    """What a text holds, the line (from 1) on which each value was written, and what of it is refused."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


class _Loader(Loader):
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        problem = "nested too deeply" if self._depth > DEEPEST else ""
        if isinstance(event, yaml.AliasEvent):
            problem = f"expected a value, got the alias *{event.anchor}"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_document(text: str, name: str) -> Document:
    """Read a whole YAML text.

    Args:
        text: the YAML.
        name: what messages call it: its path as the user gave it.

    Raises:
        ConfigError: not YAML, or an alias; the message begins with name:line.
    """
    document = Document()
    try:
        node = yaml.compose(text, Loader=_Loader)
        document.value = None if node is None else _value(node, (), document)
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark if _unclosed(error) else error.problem_mark
        line = mark.line + 1 if mark else 1
        raise ConfigError(f"{name}:{line}: not YAML: {_sentence(error)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{name}:{line}: not YAML: the character {chr(error.character)!r} is not allowed") from error
    return document


def read_value(text: str, name: str) -> Any:
    """Read the YAML value of one command-line override.

    Raises:
        ConfigError: as `read_document`; the message begins with `name`.
    """
    try:
        document = read_document(text, name)
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"{name}:1:", f"{name}:", 1)) from error
    for problem in document.problems:
        raise ConfigError(f"{name}: {problem.text}")
    return document.value


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "'\\t'" in problem:
        return "a tab where spaces are expected"
    return f"{problem} {error.context}" if _unclosed(error) else problem


def _unclosed(error: yaml.MarkedYAMLError) -> bool:
    """Whether what is wrong is seen far from where it begins: at a bracket or a quote that nothing closes."""
    return bool(error.context) and str(error.context).startswith(("while parsing a flow", "while scanning a quoted"))


def _value(node: yaml.Node, path: Path, document: Document) -> Any:
    document.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.CollectionNode) and node.tag not in COLLECTION_TAGS:
        told = f"a tag such as {node.tag} is not allowed"
        document.problems.append(Problem(path, node.start_mark.line + 1, told))
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), document) for index, item in enumerate(node.value)]
    assert isinstance(node, yaml.ScalarNode)
    try:
        return _scalar(node)
    except ValueError as error:
        document.problems.append(Problem(path, node.start_mark.line + 1, str(error)))
        return None


def _mapping(node: yaml.MappingNode, path: Path, document: Document) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        name = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
        if not isinstance(key, yaml.ScalarNode) or key.tag not in KEY_TAGS:
            document.problems.append(Problem((*path, str(name)), line, f"a key must be text; got {name}"))
        elif name in found:
            first = document.lines[*path, name]
            told = f"the key '{name}' is given twice, first on line {first}"
            document.problems.append(Problem((*path, name), line, told))
        else:
            document.lines[*path, name] = line
            found[name] = _value(value, (*path, name), document)
    return found


def _scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    tag = node.tag.removeprefix("tag:yaml.org,2002:")
    text = str(node.value)
    match tag:
        case "str" | "merge":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" | "float" if len(text) > 100:
            raise ValueError("a number must have at most 100 digits; got one of more")
        case "int" | "float":
            try:
                return int(text) if tag == "int" else float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            except ValueError:
                raise ValueError(f"what is tagged !!{tag} must be a number; got '{text}'") from None
    raise ValueError(f"a tag such as {node.tag} is not allowed; got it on '{text[:60]}'")
