"""The texts of `--help` and `--cfg job`: every option with its meaning, range and default, from the schema.

hydra is not imported, so that `--help` is quick.
"""

import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sleep_tune.config.groups import default_choices, group_settings, groups
from sleep_tune.config.options import Option, options, sections
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.config.tree import to_dict
from sleep_tune.import_paths import FORM

__all__ = ["describe_groups", "describe_options", "to_yaml", "yaml_value"]

MIN_WIDTH, MAX_WIDTH, PIPE_WIDTH = 80, 140, 120
GROUP_COLUMN = 25
DEFAULT_WIDTH = 9
COMMENT_COLUMN = 40

TYPED_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan", "inf")
"""Words that YAML 1.1 or 1.2 reads as something else than text."""


def describe_groups(width: int | None = None) -> str:
    """Return the groups of conf/: each choice with its purpose and what it sets; the default choice is marked."""
    width = width or _terminal_width()
    default = default_choices()
    lines: list[str] = []
    for group, choices in groups().items():
        lines += ["", group]
        for choice, file in choices.items():
            mark = "*" if default.get(group) == choice else " "
            sets = ", ".join(
                f"{key.removeprefix(f'{group}.')}={yaml_value(v)}" for key, v in group_settings(group, file).items()
            )
            text = f"{_first_comment(file)} [{sets}]" if sets else _first_comment(file)
            lines += _column(f"  {mark} {choice}", GROUP_COLUMN, text, width)
    return "\n".join(lines[1:])


def describe_options(width: int | None = None) -> str:
    """Return every option, by section: key, default (with the default groups), meaning and range, in columns."""
    width = width or _terminal_width()
    defaults = {key: option.default for key, option in options().items()}
    for group, choice in default_choices().items():
        defaults |= group_settings(group, groups()[group][choice])
    key_width = max(map(len, options())) + 4
    lines: list[str] = []
    for section, about in sections().items():
        lines += ["", *_column(f"{section}:", len(section) + 2, about.rstrip("."), width)]
        for option in options().values():
            if option.key.rpartition(".")[0] == section:
                head = f"  {option.key}".ljust(key_width) + yaml_value(defaults[option.key]).ljust(DEFAULT_WIDTH)
                lines += _column(head, key_width + DEFAULT_WIDTH, _meaning(option), width)
    return "\n".join(lines[1:])


def to_yaml(config: RunConfig) -> str:
    """Return `config` as YAML that `from_dict` reads back, each option with its meaning and range as a comment."""
    return "\n".join(_yaml_lines(to_dict(config), "")) + "\n"


def _yaml_lines(tree: dict[str, Any], prefix: str) -> Iterator[str]:
    indent = "  " * prefix.count(".")
    for name, value in tree.items():
        key = f"{prefix}{name}"
        about = sections()[key].rstrip(".") if key in sections() else _meaning(options()[key])
        line = f"{indent}{name}:" if key in sections() else f"{indent}{name}: {yaml_value(value)}"
        yield f"{line.ljust(COMMENT_COLUMN - 1)} # {about}"
        if key in sections():
            yield from _yaml_lines(value, f"{key}.")


def _meaning(option: Option) -> str:
    """Return meaning and range of an option: 'dropout on attention weights; [0, 1)', 'architecture; roberta | ...'."""
    takes = option.range
    if option.choices is not None:
        takes = " | ".join([*option.choices, *([FORM] if option.extensible else [])])
    elif option.type is bool:
        takes = "true | false"
    section, _, name = option.key.rpartition(".")
    siblings = [sibling for sibling in ONE_OF.get(section, ()) if sibling != name]
    rival = f"instead of {' or '.join(siblings)}" if siblings else ""
    return "; ".join(part for part in (option.doc, takes, rival) if part)


def _first_comment(file: Path) -> str:
    """Return the comment at the start of a file, on one line."""
    comment: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            comment.append(line.lstrip("# ").rstrip())
    return " ".join(comment)


def yaml_value(value: Any) -> str:
    """Return a value in YAML, on one line: null, true, 5.0e-05, [0.3, 0.6]; text is in quotes where it has to be."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(yaml_value, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{yaml_value(key)}: {yaml_value(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text  # YAML 1.1 reads 1e-05 as text


def _text(text: str) -> str:
    """Return text bare if every reader of YAML (1.1 or 1.2) takes it for text, else in double quotes, with escapes."""
    bare = text.replace("_", "").replace("-", "").isalnum() and text[0] not in "-0123456789"
    if bare and text.lower() not in TYPED_WORDS:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in quoted)


def _column(head: str, indent: int, text: str, width: int) -> list[str]:
    """Return `head` and beside it `text`, wrapped in a column at `indent`; below the head if the head is longer."""
    wrapped = textwrap.wrap(text, max(width - indent, 30), break_on_hyphens=False, break_long_words=False)
    rest = [" " * indent + line for line in wrapped]
    if len(head.rstrip()) >= indent or not rest:
        return [head.rstrip(), *rest]
    return [head.ljust(indent) + wrapped[0], *rest[1:]]


def _terminal_width() -> int:
    return min(max(shutil.get_terminal_size((PIPE_WIDTH, 24)).columns, MIN_WIDTH), MAX_WIDTH)
