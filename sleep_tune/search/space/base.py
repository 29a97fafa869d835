"""The base of a search space: what every run starts from, checked by itself and as a whole."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from sleep_tune.config.groups import groups
from sleep_tune.config.load import compose
from sleep_tune.config.options import options
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.config.tree import unknown_key
from sleep_tune.errors import Mistakes, UserError, nearest, together, unknown
from sleep_tune.files import expanded
from sleep_tune.search.space.entry import Entry
from sleep_tune.search.space.parameters import in_base, set_always
from sleep_tune.search.space.search_space import Parameter, Space
from sleep_tune.search.space.sections import check

__all__ = ["compose_base", "read_base"]

NOT_IN_BASE = ("run", "evaluation.rungs", "evaluation.test", "tracking.group", "tracking.role", "tracking.arm")
"""What the search sets in every run."""


def read_base(entry: Entry, parameters: tuple[Parameter, ...]) -> dict[str, object]:
    """Groups and options by key, those without a mistake; the mistakes are kept.

    Raises:
        ConfigError: it is no mapping.
    """
    searched = set_always(parameters)
    base: dict[str, object] = {}
    for key, inner in entry.mapping("a mapping of groups and options").items():
        with inner.found:
            base[key] = _value(key, inner)
            if key in searched:
                raise in_base(key, inner)
    for group, members in ONE_OF.items():
        given = [f"{group}.{name}" for name in members if base.get(f"{group}.{name}") is not None]
        with entry.found:
            if len(given) > 1:
                raise entry.inside(given[1]).error(f"set exactly one of {', '.join(given)}; got {len(given)}")
    return base


def _value(key: str, entry: Entry) -> object:
    choices = groups()
    if any(key == fixed or key.startswith(f"{fixed}.") for fixed in NOT_IN_BASE):
        raise entry.error(f"{key} cannot be set: the search sets it in every run")
    if key in choices:
        if not isinstance(entry.value, str) or entry.value not in choices[key]:
            raise entry.error(unknown(key, entry.value, choices[key]))
        return entry.value
    if key not in options():
        raise entry.error(_unknown(key, choices))
    value: object = check(options()[key], entry)
    return value


def _unknown(key: str, choices: Iterable[str]) -> str:
    group = nearest(key, choices) if "." not in key else None
    return f"unknown group '{key}'; did you mean '{group}'?" if group else str(unknown_key(key))


def compose_base(space: Space) -> RunConfig:
    """The configuration that every run of the study starts from. Its paths are absolute: trials run elsewhere.

    Raises:
        UserError: options that do not fit together, by themselves; each with the line of the first that it names.
    """
    try:
        base = compose([], base=space.base)
    except UserError as error:
        errors = error.errors if isinstance(error, Mistakes) else (error,)
        placed = [type(each)(f"{_where(space.where, str(each))}: {each}") for each in errors]
        raise together(placed, space.name) from error
    for section, name in ((base.data, "path"), (base.data, "cache_dir"), (base.evaluation, "data")):
        folder = getattr(section, name)
        if folder is not None:
            setattr(section, name, os.path.realpath(expanded(folder)))
    if base.tokenizer.name is not None and Path(base.tokenizer.name).is_dir():
        base.tokenizer.name = str(Path(base.tokenizer.name).resolve())
    return base


def _where(where: Mapping[str, str], message: str) -> str:
    """Where the first option that a message names was given; where the base was, if none of them was in it."""
    named = re.findall(r"[a-z_]+(?:\.[a-z_]+)+|[a-z_]+(?==)", message)
    return next((where[f"base.{key}"] for key in named if f"base.{key}" in where), where.get("base", "base"))
