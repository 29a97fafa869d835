"""Composition of a run's configuration from the groups of conf/ and `key=value` overrides, by hydra's compose API.

hydra chooses and merges the group files; values are checked against the schema (checker.py), not by hydra. No other
file imports hydra or omegaconf.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sleep_tune.config.checker import check_one_of
from sleep_tune.config.entry import Entry, Mistake, MistakeList
from sleep_tune.config.groups import (
    Choices,
    default_choices,
    folders,
    group_settings,
    groups,
    is_interpolated,
    override_settings,
    read_setting,
)
from sleep_tune.config.model_file import require_place, with_file
from sleep_tune.config.options import options
from sleep_tune.config.rules import require_read_sizes
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.config.sources import with_sources
from sleep_tune.config.tree import from_dict
from sleep_tune.errors import ConfigError
from sleep_tune.installation import command

__all__ = ["compose", "parse_override"]


def compose(overrides: Sequence[str], *, base: Mapping[str, Any] | None = None) -> RunConfig:
    """Return a run's configuration from conf/, then `base`, then `overrides`; what comes later wins.

    A group that `overrides` chooses replaces everything that `base` sets in its section: if `base` are the settings
    of a study, `compose(["sleep=epochs"], base=base)` is its baseline. Functions that options name by import path are
    imported.

    Args:
        overrides: each `group=choice` or `dotted.key=value`, as on a command line.
        base: the same as a mapping with values instead of their text, as a search space writes them.

    Raises:
        ConfigError: unknown group choices, keys or values, two options of which only one can be set, or a broken
            file of conf/. Every mistake is reported with its key (and file), what must hold, what was given and the
            nearest valid name. If there is none of these: a function that cannot be imported.
        BudgetError: a sleep that no corpus could fit into the budget.
    """
    mistakes = MistakeList("the configuration")
    given: dict[str, Any] = {}
    for text in overrides:
        try:
            key, value = parse_override(text)
            given[key] = value
        except ConfigError as error:
            mistakes.add(Mistake(None, str(error)))
    available = groups()
    root = Entry(override_settings(base or {}, given), (), {}, mistakes)
    settings: dict[str, Any] = {}
    for key, entry in root.mapping().items():
        with mistakes:
            is_open = key in options() and is_interpolated(entry.value)
            settings[key] = entry.value if is_open else read_setting(key, entry, available)
    check_one_of(root, settings)
    mistakes.check()
    choices = {key: value for key, value in settings.items() if key in available}
    composed = _compose_groups(default_choices() | choices, available)
    for key, value in settings.items():
        if key not in available:
            _set(composed, key, value)
    try:
        tree = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"an interpolation cannot be resolved: {str(error).splitlines()[0]}") from None
    assert isinstance(tree, dict)
    sections = {str(key): value for key, value in tree.items()}
    if isinstance(sections.get("model"), dict):
        sections["model"] = with_file(sections["model"])
        init = sections["model"].get("init")
        if isinstance(init, str):
            require_place(init)
        if init is not None and not any(key.partition(".")[0] == "tokenizer" for key in settings):
            sections["tokenizer"] = {"kind": "hub", "name": init}  # a model's weights belong to its own tokenizer
    config = from_dict(sections)
    require_read_sizes(config, settings)
    return with_sources(config)


def parse_override(text: str) -> tuple[str, Any]:
    """Return the key (unchecked) and the typed value of a `key=value` text.

    A value follows hydra's grammar (1e-5, true, null, [0.3, 0.6]), except where an option is text: there it is taken
    as it is, so that a path may hold '=', spaces and commas. Quotes around the whole of it are removed. Where a list of
    texts may stand for a text, one that begins with [ is a list.

    Raises:
        ConfigError: no `key=value`, or a value that the grammar cannot read.
    """
    key, separator, raw = (part.strip() for part in text.partition("="))
    if key.startswith(("+", "~")):
        written = f"{key.lstrip('+~')}={raw or 'VALUE'}"
        raise ConfigError(f"an option is set by its key alone, as in {written}; got '{text}'")
    if not separator or not key:
        hint = f" (write {key}=value)" if key in options() else ""
        raise ConfigError(f"an override must be key=value; got '{text}'{hint}")
    option = options().get(key)
    if option is None or option.type is str:
        if raw == "null":
            return key, None
        is_list = option is not None and option.several and raw.startswith("[")
        if not is_list and (len(raw) < 2 or raw[0] != raw[-1] or raw[0] not in "'\""):
            return key, raw
    try:
        override = OverridesParser.create().parse_override(f"value={raw}")
    except (HydraException, ValueError, RecursionError) as error:  # the last two: thousands of digits or brackets
        shown = raw if len(raw) <= 80 else f"{raw[:77]}..."
        raise ConfigError(f"{key} must be {_expected(key)}; got '{shown}' ({_first_line(error)})") from None
    if override.type is not OverrideType.CHANGE or override.is_sweep_override():
        hint = f"(to search over values, use {command('search')})"
        raise ConfigError(f"{key} must be {_expected(key)}; got '{raw}' {hint}")
    return key, override.value()


def _expected(key: str) -> str:
    option = options().get(key)
    return option.expected if option else "text"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].lower() if str(error) else type(error).__name__


def _compose_groups(choices: Mapping[str, str], available: Mapping[str, Choices]) -> DictConfig:
    """Merge the chosen files over conf/config.yaml by hydra, which would take wrong values as they are."""
    for group, choice in choices.items():
        group_settings(group, available[group][choice])
    own, *others = folders()
    known = default_choices()
    chosen = [f"{group}={choice}" if group in known else f"+{group}={choice}" for group, choice in choices.items()]
    search = [f"hydra.searchpath=[{_quoted(f'file://{folder}')}]" for folder in others]
    try:
        with initialize_config_dir(config_dir=str(own), version_base="1.3"):
            composed = hydra_compose("config", overrides=[*search, *chosen])
    except (HydraException, OmegaConfBaseException, yaml.YAMLError) as error:
        raise ConfigError(f"conf/ cannot be composed: {_first_line(error)}") from None
    OmegaConf.set_struct(composed, False)
    return composed


def _quoted(text: str) -> str:
    """Return `text` as one string of hydra's grammar, in which a backslash escapes only a quote."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return f"'{escaped}'"


def _set(composed: DictConfig, key: str, value: Any) -> None:
    """Set one option; the options that it excludes (`ONE_OF`) become null, whichever file set them."""
    section, _, name = key.rpartition(".")
    members = ONE_OF.get(section, ())
    if value is not None and name in members:
        for sibling in members:
            OmegaConf.update(composed, f"{section}.{sibling}", None)
    try:
        OmegaConf.update(composed, key, list(value) if isinstance(value, tuple) else value)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key} must be {options()[key].expected}; got {value!r} ({_first_line(error)})") from None
