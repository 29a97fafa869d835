"""Settings of the arms by dotted key.

An arm has the settings of the arm that it is like, then what the files of its groups set, then its own options. What a
search has to find first, the best trial or a tuned baseline, is given by the caller, who knows the search.
"""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sleep_tune.config.groups import default_choices, group_settings, groups, override_settings
from sleep_tune.config.options import options
from sleep_tune.config.schema import ONE_OF
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.search.space.search_space import BEST, Arm, Space
from sleep_tune.search.space.trial_configs import baseline_settings

__all__ = ["arm_settings", "found_first", "own_settings"]

Settings = dict[str, Any]
"""Values by dotted key, none of which excludes another (`ONE_OF`)."""


def arm_settings(space: Space, name: str, found: Mapping[str, Mapping[str, Any]] | None = None) -> Settings | None:
    """Return what an arm or a baseline sets over the base; None while a search that it needs has not found its part.

    Args:
        space: the study.
        name: of an arm or a baseline, or `BEST`.
        found: `BEST` -> settings of the best trial; tuned baseline -> settings that its own search found. By default
            as if every search had found the settings of the base.
    """
    first = found_first(space, name)
    if first is not None and found is not None and first not in found:
        return None
    if name == BEST or name in space.baselines:
        fixed = {} if name == BEST else baseline_settings(name)
        return _merged(dict(fixed), found[first] if first is not None and found is not None else {})
    arm = space.arms[name]
    settings = arm_settings(space, arm.parent, found) if arm.parent is not None else {}
    return None if settings is None else _merged(settings, own_settings(space.base, arm))


def found_first(space: Space, name: str) -> str | None:
    """Return what a search must find before the settings of an arm are known; None if nothing.

    Args:
        space: the study.
        name: of an arm or a baseline, or `BEST`.

    Returns:
        `BEST`, or the name of a tuned baseline.
    """
    if name == BEST:
        return BEST
    if name in space.baselines:
        searched = space.baselines[name].like or name
        return searched if space.baselines[searched].trials is not None else None
    parent = space.arms[name].parent
    return found_first(space, parent) if parent is not None else None


def own_settings(base: Mapping[str, Any], arm: Arm) -> Settings:
    """Return what an arm itself sets: for each group what the file of its choice sets, then its options.

    A choice replaces that of the base: options that only the base's choice set have their defaults again, and options
    that the base itself sets keep their values.

    Args:
        base: of the space: choices of groups, and options by dotted key.
        arm: see `Arm.settings`.

    Raises:
        ConfigError: the file of a choice is broken.
    """
    settings, here = Settings(), Path.cwd()
    for key, choice in arm.settings.items():
        if _is_group(key):
            before = base.get(key) or _default_choice(key, here)
            settings = _merged(settings, dict(_reset(_file_settings(key, before, here), base)))
            settings = _merged(settings, _file_settings(key, choice, here))
    return _merged(settings, {key: value for key, value in arm.settings.items() if not _is_group(key)})


def _is_group(key: str) -> bool:
    """Return whether a key of an arm is a group: the key of every option has a dot."""
    return "." not in key


@functools.cache
def _file_settings(group: str, choice: str, here: Path) -> Mapping[str, Any]:
    """Return what the file of a choice sets: read once, so that a search stays the same while it runs.

    Args:
        group: of conf/.
        choice: of the group.
        here: the working directory, whose conf/ may have it.

    Raises:
        ConfigError: there is no such choice, or its file is broken.
    """
    choices = groups()[group]
    if choice not in choices:
        raise ConfigError(unknown(group, choice, choices))
    return group_settings(group, choices[choice])


@functools.cache
def _default_choice(group: str, here: Path) -> str:
    return default_choices()[group]


def _reset(choice: Mapping[str, Any], base: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the default of each option that a choice sets and the base does not set by itself.

    Of options that exclude each other (`ONE_OF`), it is the one that is set by default.
    """
    for key in choice:
        section, _, name = key.rpartition(".")
        members = ONE_OF.get(section, ())
        rivals = [f"{section}.{member}" for member in members] if name in members else [key]
        if not any(rival in base for rival in rivals):
            default = next((rival for rival in rivals if options()[rival].default is not None), key)
            yield default, options()[default].default


def _merged(settings: Settings, more: Mapping[str, Any]) -> Settings:
    """Return `settings` changed by `more`; an option that excludes others removes them."""
    return override_settings(
        settings, {key: list(value) if isinstance(value, tuple) else value for key, value in more.items()}
    )
