"""Names of runs from their settings, for runs that were given none: weighted-seed3, text-path_books-small-words100M.

The same settings have the same name, in whatever order they were given, so that the same command resumes its run.
"""

import functools
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from sleep_tune.config.options import options, sections

__all__ = ["PLAIN_RUN", "name_run"]

PLAIN_RUN = "default"
"""Name of the run without any settings."""

MOST = 60
"""Characters of a name, at most, beside its digest."""

DIGITS = 6
"""Hexadecimal digits of the digest that follows a name which does not hold all of the settings."""

NAMELESS = (
    "run",
    "tracking",
    "data.cache_dir",
    "training.mirror",
    "training.threads",
    "training.checkpoint_ratio",
    "training.checkpoint_minutes",
)
"""Sections and options that do not change what is computed (`run_folder.IRRELEVANT`): the run stays the same one."""


def name_run(settings: Mapping[str, Any]) -> str:
    """Return a run's name.

    Args:
        settings: what was set over the defaults: choices of groups, and options by dotted key.

    Returns:
        At most 67 characters: letters, digits, '.', '_' and '-'. It ends in a digest where the settings cannot be
        written in them.

    >>> name_run({"training.seed": 3, "sleep": "weighted"})
    'weighted-seed3'
    """
    order = {key: place for place, key in enumerate([*sections(), *options()])}  # groups first, then as in --help
    chosen = {key: settings[key] for key in sorted(settings, key=lambda key: order.get(key, -1)) if _counts(key)}
    parts = [_part(key, value) for key, value in chosen.items()]
    text = "-".join(part for part, _ in parts) or PLAIN_RUN
    if all(is_whole for _, is_whole in parts) and len(text) <= MOST:
        return text
    content = json.dumps(chosen, sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:DIGITS]
    if len(text) > MOST:  # whole settings only, if one fits
        text = text[:MOST].rpartition("-")[0] or text[:MOST]
    return f"{text.rstrip('-_.')}-{digest}"


def _counts(key: str) -> bool:
    return not any(key == name or key.startswith(f"{name}.") for name in NAMELESS)


def _part(key: str, value: Any) -> tuple[str, bool]:
    """Return what a setting adds to the name, and whether the setting can be read from it."""
    text, is_whole = _text(value)
    if "." not in key:
        return text, is_whole
    separator = "_" if text[:1].isalpha() else ""
    return f"{_short_keys()[key]}{separator}{text}", is_whole


@functools.cache
def _short_keys() -> Mapping[str, str]:
    """Return the shortest end of each option's key that no other option has, with '_' between its parts.

    Options of training itself may share theirs: learning_rate is training's, sleep_learning_rate that of sleep.
    """
    short: dict[str, str] = {}
    for key in options():
        parts = key.split(".")
        ends = [".".join(parts[-number:]) for number in range(1, len(parts) + 1)]
        others = [other for other in options() if other != key]
        alone = (end for end in ends if not any(f".{other}".endswith(f".{end}") for other in others))
        is_first = parts[0] == "training" and len(parts) == 2
        short[key] = (ends[0] if is_first else next(alone, key)).replace(".", "_")
    return short


def _text(value: Any) -> tuple[str, bool]:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value], True
    if isinstance(value, list | tuple):
        parts = [_text(item) for item in value]
        return "_".join(part for part, _ in parts) or "none", bool(parts) and all(is_whole for _, is_whole in parts)
    if isinstance(value, int) and value and value % 1_000_000 == 0:
        return f"{value // 1_000_000}M", True
    if isinstance(value, int | float):
        return repr(value).replace("+", ""), True
    if isinstance(value, Mapping):
        return "_".join(_names(value)), False
    text = str(value).rstrip("/\\")
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", re.split(r"[/\\]", text)[-1]).strip("._-") or "x"
    return plain, plain == value


def _names(value: Mapping[Any, Any]) -> Iterator[str]:
    yield from (re.sub(r"[^A-Za-z0-9_]+", "_", str(name)) for name in value)
