"""Composition: groups of conf/ and `key=value` overrides become a RunConfig. The only file that knows hydra.

hydra's compose API chooses and merges the group files; values are checked by the schema, not by hydra, so that every
mistake is one ConfigError with a dotted key.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sleep_tune.config.groups import Choices, default_choices, folders, groups, settings
from sleep_tune.config.options import options
from sleep_tune.config.schema import ONE_OF, RunConfig
from sleep_tune.config.tree import from_dict, unknown_key
from sleep_tune.errors import ConfigError, unknown

__all__ = ["compose", "parse"]


def compose(overrides: Sequence[str], *, base: Mapping[str, Any] | None = None) -> RunConfig:
    """Build a run's configuration from conf/, then `base`, then `overrides`; what comes later wins.

    A group that `overrides` chooses replaces all that `base` says of its section: with `base` the settings of a
    study, `compose(["sleep=epochs"], base=base)` is its baseline.

    Args:
        overrides: each `group=choice` or `dotted.key=value`, as on a command line.
        base: the same as a mapping with values instead of their text, as a search space writes them.

    Raises:
        ConfigError: an unknown group choice, key or value, two options of which only one can be set, or a broken
            file of conf/; the message names the key (and file), what must hold, what was given and the nearest name.
        BudgetError: a sleep that no corpus could fit into the budget.
    """
    available = groups()
    base_choices, base_values = _split(base or {}, available)
    choices, values = _split(parse(overrides), available)
    composed = _compose_groups(default_choices() | base_choices | choices, available)
    for key, value in base_values.items():
        if key.split(".")[0] not in choices:  # a group chosen anew starts its section afresh
            _set(composed, key, value)
    for key, value in values.items():
        _set(composed, key, value)
    try:
        tree = OmegaConf.to_container(composed, resolve=True)
    except OmegaConfBaseException as error:
        raise ConfigError(f"an interpolation cannot be resolved: {str(error).splitlines()[0]}") from None
    assert isinstance(tree, dict)
    return from_dict({str(key): value for key, value in tree.items()})


def parse(overrides: Sequence[str]) -> dict[str, Any]:
    """Read `key=value` texts: keys as given (unchecked), values typed; a key that comes twice has its last value.

    A value follows hydra's grammar (1e-5, true, null, [0.3, 0.6]), except where an option is text: there it is taken
    as it stands, so that a path may hold '=', spaces and commas. Quotes around the whole of it are taken off.

    Raises:
        ConfigError: no `key=value`, or a value that the grammar cannot read.
    """
    return dict(_parse_one(text) for text in overrides)


def _parse_one(text: str) -> tuple[str, Any]:
    key, separator, raw = (part.strip() for part in text.partition("="))
    if key.startswith(("+", "~")):
        bare = key.lstrip("+~")
        raise ConfigError(f"options can be set, not added or removed; got '{text}' (write {bare}=value)")
    if not separator or not key:
        hint = f" (write {key}=value)" if key in options() else ""
        raise ConfigError(f"an override must be key=value; got '{text}'{hint}")
    option = options().get(key)
    if option is None or option.type is str:
        if raw == "null":
            return key, None
        if len(raw) < 2 or raw[0] != raw[-1] or raw[0] not in "'\"":
            return key, raw
    try:
        override = OverridesParser.create().parse_override(f"value={raw}")
    except (HydraException, ValueError, RecursionError) as error:  # the last two: digits or brackets by the thousand
        shown = raw if len(raw) <= 80 else f"{raw[:77]}..."
        raise ConfigError(f"{key} must be {_expected(key)}; got '{shown}' ({_first_line(error)})") from None
    if override.type is not OverrideType.CHANGE or override.is_sweep_override():
        raise ConfigError(f"{key} must be {_expected(key)}; got '{raw}' (a search over values is tune.py's work)")
    return key, override.value()


def _expected(key: str) -> str:
    option = options().get(key)
    return option.expected if option else "text"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].lower() if str(error) else type(error).__name__


def _split(given: Mapping[str, Any], available: Mapping[str, Choices]) -> tuple[dict[str, str], dict[str, Any]]:
    """Tell choices of groups from values of options, checking both."""
    choices: dict[str, str] = {}
    values: dict[str, Any] = {}
    for key, value in given.items():
        if key in available:
            if not isinstance(value, str) or value not in available[key]:
                raise ConfigError(unknown(key, value, available[key]))
            choices[key] = value
        elif key in options():
            values[key] = _check(key, value)
        else:
            raise unknown_key(key)
    for section, members in ONE_OF.items():
        rivals = [f"{section}.{name}" for name in members if values.get(f"{section}.{name}") is not None]
        if len(rivals) > 1:
            raise ConfigError(f"set exactly one of {', '.join(rivals)}; got {len(rivals)}")
    return choices, values


def _check(key: str, value: Any) -> Any:
    """The checked value; one with an interpolation is checked when everything is composed and it can be resolved."""
    return value if isinstance(value, str) and "${" in value else options()[key].check(value)


def _compose_groups(choices: Mapping[str, str], available: Mapping[str, Choices]) -> DictConfig:
    """Merge the chosen files over conf/config.yaml by hydra."""
    for group, choice in choices.items():
        _check_file(group, available[group][choice])
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
    """`text` as one string of hydra's grammar, in which a backslash means something only before a quote."""
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return f"'{escaped}'"


def _check_file(group: str, file: Path) -> None:
    """Refuse wrong values in a group's file with its name; hydra would merge them as they are."""
    for key, value in settings(group, file).items():
        try:
            _check(key, value)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None


def _set(composed: DictConfig, key: str, value: Any) -> None:
    """Set one option; where exactly one of several is set, the others go, whichever file set them."""
    section, _, name = key.rpartition(".")
    members = ONE_OF.get(section, ())
    if value is not None and name in members:
        for sibling in members:
            OmegaConf.update(composed, f"{section}.{sibling}", None)
    try:
        OmegaConf.update(composed, key, list(value) if isinstance(value, tuple) else value)
    except OmegaConfBaseException as error:
        raise ConfigError(f"{key} must be {options()[key].expected}; got {value!r} ({_first_line(error)})") from None
