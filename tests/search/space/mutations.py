"""Valid search spaces, broken in one place each: at every key and value by a few of the ways there are, and as a whole.

Deterministic: the same files in the same order every time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import yaml

from sleep_tune.config.yaml_file import Loader
from tests.search.space.broken_spaces import WHOLE

__all__ = ["Broken", "broken_files"]

SPACES = Path(__file__).parents[3] / "search_spaces"

FULL = (
    WHOLE
    + """\
comparison: {primary: test/nll, smallest: 0.01}
enqueue:
  - {sleep.folds: 5, sleep.replay.strategy: random}
warm_start: [results/earlier]
"""
)

VALID = {
    "whole": FULL,
    "demo": (SPACES / "demo.yaml").read_text(encoding="utf-8"),
    "replay": (SPACES / "replay.yaml").read_text(encoding="utf-8"),
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A broken file."""

    name: str
    content: bytes
    line: int
    """The line that its report must name."""


@dataclass(frozen=True, slots=True)
class Token:
    """A key or a value of a file."""

    path: str
    text: str
    start: int
    end: int
    line: int
    parent: int | None
    """Where the mapping begins that a key stands in; None for a value."""


def _swapped(text: str) -> str:
    """Misspelt: two letters of the longest part change places, or a letter comes twice."""
    middle = len(text) // 2
    swapped = text[: middle - 1] + text[middle] + text[middle - 1] + text[middle + 1 :]
    return swapped if swapped != text else text + text[-1]


VALUES: dict[str, Callable[[Token], str]] = {
    "a mapping": lambda token: "{a: 1}",
    "a list": lambda token: "[[1]]",
    "true": lambda token: "true",
    "not a number": lambda token: ".nan",
    "minus infinity": lambda token: "-.inf",
    "a huge number": lambda token: "9" * 300,
    "past any float": lambda token: "-1e999",
    "negative": lambda token: "-1",
    "an unknown tag": lambda token: f"!!python/object:os.system {token.text}",
    "an alias": lambda token: "*nowhere",
    "an anchor and its alias": lambda token: f"[&here {token.text}, *here]",
    "words": lambda token: "what is this",
    "control characters": lambda token: '"\\x07\\n"',
    "a long text": lambda token: "x" * 3000,
    "brackets": lambda token: "[" * 40 + "]" * 40,
}

KEYS: dict[str, Callable[[Token], str]] = {
    "misspelt": lambda token: _swapped(token.text),
    "a number as a key": lambda token: "7",
    "a list as a key": lambda token: "[a, b]",
    "a merge": lambda token: "<<",
    "in capitals": lambda token: token.text.upper(),
    "with a space": lambda token: f"{token.text} x",
    "a longer key": lambda token: f"{token.text}.x.y",
    "nothing as a key": lambda token: "~",
}

EACH = {"values": 1, "keys": 1}
"""Ways that each value and each key is broken; which ones goes round."""


def broken_files() -> Iterator[Broken]:
    """Every broken file."""
    for name, text in VALID.items():
        tokens = list(_tokens(text))
        for kind, ways, number in (("values", VALUES, count()), ("keys", KEYS, count())):
            for token in (token for token in tokens if (token.parent is None) == (kind == "values")):
                for _ in range(EACH[kind]):
                    how = list(ways)[next(number) % len(ways)]
                    if token.path.startswith("/warm_start") and how == "a long text":
                        continue  # a folder may be called so
                    content = text[: token.start] + ways[how](token) + text[token.end :]
                    yield Broken(f"{name}: {token.path}: {how}", content.encode(), token.line)
        for token in [token for token in tokens if token.parent is not None][::3]:
            yield _twice(name, text, token)
        yield from _whole_files(name, text)


def _twice(name: str, text: str, token: Token) -> Broken:
    """The key is given a second time, before the first, in the same style (block or flow)."""
    assert token.parent is not None
    flow = text[token.parent] == "{"
    at = token.start
    indent = at - text.rfind("\n", 0, at) - 1
    extra = f"{token.text}: 1, " if flow else f"{token.text}: 1\n{' ' * indent}"
    content = text[:at] + extra + text[at:]
    return Broken(f"{name}: {token.path}: twice", content.encode(), token.line + (0 if flow else 1))


def _whole_files(name: str, text: str) -> Iterator[Broken]:
    lines = text.splitlines(keepends=True)
    last = len(lines)
    first = next(number for number, line in enumerate(lines, 1) if line[:1].isalpha())

    def broken(how: str, content: str | bytes, line: int) -> Broken:
        return Broken(f"{name}: {how}", content if isinstance(content, bytes) else content.encode(), line)

    yield broken(
        "a tab before the first key", text[: text.index(lines[first - 1])] + "\t" + "".join(lines[first - 1 :]), first
    )
    yield broken("UTF-16", text.encode("utf-16"), 1)
    yield broken("a byte of latin-1", text.encode() + b"# gr\xfc\xdfe\n", last + 1)
    yield broken("a byte order mark, and an unknown key", "\ufeff" + text + "unknown: 1\n", last + 1)
    yield broken("CRLF, and an unknown key", (text + "unknown: 1\n").replace("\n", "\r\n"), last + 1)
    yield broken("NUL", text + "\0", last + 1)
    yield broken("two documents", text + "---\nname: x\n", last + 1)
    yield broken("an unfinished flow", text + "x: {", last + 1)
    yield broken("an unfinished quote", text + "x: 'y\n", last + 1)
    yield broken("a list after a mapping", text + "- x\n", last + 1)
    yield broken("an anchor and a merge", text + "x: &x {a: 1}\ny:\n  <<: *x\n", last + 3)
    yield broken("a bomb", text + "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", last + 2)
    yield broken("very deep", text + "x: " + "[" * 3000, last + 1)
    yield broken("an empty key", text + ": 1\n", last + 1)
    yield broken("a question mark", text + "? [a, b]\n: 1\n", last + 1)
    yield broken("a percent sign", "%YAML 9.9\n---\n" + text, 1)
    for number in range(1, last + 1):
        line = lines[number - 1]
        if line.rstrip().endswith("}") and not line.startswith("#"):
            cut = [*lines[: number - 1], line.rstrip()[:-1] + "\n", *lines[number:]]
            yield broken(f"an open bracket on line {number}", "".join(cut), number)
            break


def _tokens(text: str) -> Iterator[Token]:
    def walk(node: yaml.Node, path: str) -> Iterator[Token]:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                inner = f"{path}/{key.value}"
                yield token(key, inner, node.start_mark.index)
                yield from walk(value, inner)
        elif isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                yield from walk(item, f"{path}/{index}")
        else:
            yield token(node, path, None)

    def token(node: yaml.Node, path: str, parent: int | None) -> Token:
        start, end = node.start_mark, node.end_mark
        return Token(path, text[start.index : end.index], start.index, end.index, start.line + 1, parent)

    root = yaml.compose(text, Loader=Loader)
    assert root is not None
    yield from walk(root, "")
