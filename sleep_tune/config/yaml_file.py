"""YAML read with the line of every value, so that a mistake can name its place.

Scalars are those of YAML 1.2: 1e-5 is a number, yes and off are text, 010 is ten, dates are text. A key may come once.
Aliases, tags and keys that are not text are refused: each would hide where a value was written. Text that is not YAML
ends the reading, as nothing after it has a meaning; a value that is refused is kept as a mistake, and the rest is read.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from sleep_tune.config.entry import Entry, KeyPath, Mistake, MistakeList
from sleep_tune.errors import ConfigError

__all__ = ["Loader", "read_document", "read_file", "read_value", "read_yaml"]

DEEPEST = 50
"""Levels that a document may nest."""
MOST_DIGITS = 100
"""Characters of a number, at most; Python takes long to read one of many thousands."""

KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")
COLLECTION_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

SCALARS = {
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN)",
        "-+0123456789.",
    ),
}
"""Type -> the pattern of its plain scalars, and their first letters."""


class Loader(yaml.SafeLoader):
    """YAML loader with the scalars of YAML 1.2, without aliases, and with a limit on nesting."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - a table of its own, so that yaml's loaders stay as they are
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> Any:
        """Return the next node.

        Raises:
            yaml.MarkedYAMLError: an alias, or a node that is nested too deeply.
        """
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


for _name, (_pattern, _first) in SCALARS.items():
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(f"^(?:{_pattern})$"), list(_first))


def read_yaml(file: Path) -> dict[str, Any]:
    """Return the mapping that a file holds; an empty file is an empty mapping.

    Raises:
        ConfigError: the file is not UTF-8, not YAML or not a mapping; the message names file and line.
    """
    entry = read_file(file)
    content = {} if entry.value is None else entry.value
    if not isinstance(content, dict):
        raise entry.wrong("a mapping of options")
    entry.mistakes.check()
    return content


def read_file(file: Path) -> Entry:
    """Return what a YAML file holds, with the line of every value; refused values are None, and kept as mistakes.

    Raises:
        ConfigError: the file is not UTF-8, or see `read_document`; the message names file and line.
        OSError: the file cannot be read.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        byte = error.object[error.start]
        raise ConfigError(f"{file}:{line}: the file must be UTF-8 text; got the byte {byte:#x}") from None
    return read_document(text, str(file))


def read_document(text: str, name: str) -> Entry:
    """Return what a YAML text holds, with the line of every value; refused values are None, and kept as mistakes.

    Args:
        text: the YAML.
        name: its name in messages: the file as the user gave it.

    Raises:
        ConfigError: not YAML, an alias, or nested too deeply; the message begins with name:line.
    """
    try:
        node = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.context_mark if _is_unclosed(error) else error.problem_mark
        raise ConfigError(f"{name}:{mark.line + 1 if mark else 1}: not YAML: {_sentence(error)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigError(f"{name}:{line}: not YAML: the character {chr(error.character)!r} is not allowed") from None
    document = _Document(name)
    value = None if node is None else document.read(node, ())
    return Entry(value, (), {(): f"{name}:1"} | document.places, document.mistakes)


def read_value(text: str, name: str) -> Any:
    """Return the YAML value of one command-line override.

    Raises:
        ConfigError: not YAML, or refused; the message begins with `name`.
    """
    try:
        entry = read_document(text, name)
        entry.mistakes.check()
    except ConfigError as error:
        raise ConfigError(str(error).replace(f"{name}:1:", f"{name}:", 1)) from None
    return entry.value


def _sentence(error: yaml.MarkedYAMLError) -> str:
    problem = error.problem or "cannot be read"
    if "'\\t'" in problem:
        return "a tab where spaces are expected"
    return f"{problem} {error.context}" if _is_unclosed(error) else problem


def _is_unclosed(error: yaml.MarkedYAMLError) -> bool:
    """Return whether the mistake begins long before the parser notices it: at a bracket or quote that is not closed."""
    return bool(error.context) and str(error.context).startswith(("while parsing a flow", "while scanning a quoted"))


class _Document:
    """Plain values from the nodes of a text, where each was written, and the mistakes in them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.places: dict[KeyPath, str] = {}
        self.mistakes = MistakeList(name)

    def read(self, node: yaml.Node, path: KeyPath) -> Any:
        """Return the value of a node; None if it is refused."""
        self.places.setdefault(path, self._place(node))
        if isinstance(node, yaml.CollectionNode) and node.tag not in COLLECTION_TAGS:
            self._refuse(node, path, f"a tag such as {node.tag} is not allowed")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except ValueError as error:
            self._refuse(node, path, str(error))
            return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
            inner = (*path, str(name))
            if not isinstance(key, yaml.ScalarNode) or key.tag not in KEY_TAGS:
                self._refuse(key, inner, f"a key must be text; got {name}")
            elif name in found:
                first = self.places[inner].rpartition(":")[2]
                self._refuse(key, inner, f"the key '{name}' is given twice, first on line {first}")
            else:
                self.places[inner] = self._place(key)
                found[name] = self.read(value, inner)
        return found

    def _place(self, node: yaml.Node) -> str:
        return f"{self.name}:{node.start_mark.line + 1}"

    def _refuse(self, node: yaml.Node, path: KeyPath, text: str) -> None:
        self.mistakes.add(Mistake(self._place(node), text, path))


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    """Return the value of a scalar.

    Raises:
        ValueError: a number that is none or has too many digits, or a tag of another type.
    """
    text = str(node.value)
    match node.tag.removeprefix("tag:yaml.org,2002:"):
        case "str" | "merge":
            return text
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int" | "float" if len(text) > MOST_DIGITS:
            raise ValueError(f"a number must have at most {MOST_DIGITS} digits; got a longer one")
        case "int" | "float" as tag:
            try:
                return int(text) if tag == "int" else float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            except ValueError:
                raise ValueError(f"a value tagged !!{tag} must be a number; got '{text}'") from None
    raise ValueError(f"a tag such as {node.tag} is not allowed; got it on '{text[:60]}'")
