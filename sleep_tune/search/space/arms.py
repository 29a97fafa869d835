"""The arms of a search space, read and checked: fixed configurations that are trained over the fresh seeds.

Whether an arm fits the base is checked when the base is known (`check_arms`).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from sleep_tune.config.checker import check_one_of
from sleep_tune.config.entry import Entry
from sleep_tune.config.foreign_names import find_foreign_name
from sleep_tune.config.groups import groups, read_setting
from sleep_tune.config.model_file import is_file
from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.errors import ConfigError, UserError, nearest, shortened, unknown
from sleep_tune.import_paths import is_import_path
from sleep_tune.search.space.arm_settings import arm_settings, found_first, own_settings
from sleep_tune.search.space.domain_reader import check_import
from sleep_tune.search.space.parameters import FIXED
from sleep_tune.search.space.search_space import BEST, Arm, Baseline, Space
from sleep_tune.search.space.trial_configs import with_settings

__all__ = ["check_arms", "named_by_arms", "read_arms"]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
RUN = re.compile(r"(.*-)?t\d+|.*-[sv]\d+", re.IGNORECASE)
"""What runs are called: t0001, epochs-t0001, strict-s123456; the second version of an arm is strict-v2.

In any case, since some file systems do not tell T0001 from t0001.
"""

PER_STUDY = FIXED | {
    "training.seed": "is set by the search: every arm has the same fresh seeds",
    "sleep.matched": "is set by the search: write matched, and the name of an arm",
    "tracking": "is the same for every run of a study",
}
"""Options (and sections) that an arm cannot set, and why."""


def read_arms(entry: Entry, baselines: Mapping[str, Baseline]) -> dict[str, Arm]:
    """Return the arms by name; mistakes in an arm are kept.

    Args:
        entry: of the section.
        baselines: of the space, which arms may name.

    Raises:
        ConfigError: it is no mapping, or arms name each other in a circle.
    """
    entries = entry.mapping("a mapping of arms, each a mapping of groups and options, with like or matched")
    arms: dict[str, Arm] = {}
    for name, inner in entries.items():
        with entry.mistakes:
            _check_name(name, inner, [*baselines, *arms])
            arms[name] = _arm(inner)
    for name, arm in arms.items():
        for key, other in (("like", arm.like), ("matched", arm.matched)):
            if other is not None:
                with entry.mistakes:
                    _check_parent(other, name, entries[name].inside(key), entries, arms, baselines)
    try:
        _parents_first(arms)
    except CycleError as error:
        circle = [str(name) for name in reversed(error.args[1])]
        if all(entries[name].is_sound for name in circle):
            raise entries[circle[0]].error(f"arms name each other in a circle: {' -> '.join(circle)}") from None
    return arms


def _check_name(name: str, entry: Entry, taken: Iterable[str]) -> None:
    if not NAME.fullmatch(name):
        raise entry.error(
            "the name of an arm must have 1 to 60 letters (a to z), digits, '-' and '_', and begin with a letter or a "
            f"digit; got '{shortened(name)}'"
        )
    is_best = name.lower() == BEST
    if is_best or RUN.fullmatch(name):
        meant = "the best trial of the search" if is_best else "a run or a trial"
        raise entry.error(f"an arm cannot be called '{name}', which is what {meant} is called: choose another name")
    same = next((other for other in taken if other.lower() == name.lower()), None)
    if same is not None:
        raise entry.error(f"arms and baselines must have different names; got '{name}' beside '{same}'")


def _arm(entry: Entry) -> Arm:
    given = entry.mapping("a mapping of groups and options, with like or matched")
    named = {key: inner for key, inner in given.items() if key in ("like", "matched")}
    for inner in named.values():
        if not isinstance(inner.value, str):
            raise inner.wrong(f"the name of an arm or a baseline, or {BEST}")
    if "matched" in named and len(given) > 1:
        others = ", ".join(key for key in given if key != "matched")
        raise entry.error(
            f"{entry.key} must have matched alone: a control has the settings of {named['matched'].value}; got "
            f"{others} too"
        )
    choices, settings = groups(), dict[str, Any]()
    for key, inner in given.items():
        if key not in named:
            with entry.mistakes:
                settings[key] = _setting(key, inner, choices)
    check_one_of(entry, settings)
    return Arm(**{key: inner.value for key, inner in named.items()}, settings=settings)


def _setting(key: str, entry: Entry, choices: Mapping[str, Any]) -> Any:
    """Return the choice of a group or the value of an option."""
    names = ["like", "matched", *(name for name in choices if name not in PER_STUDY)]
    if "." not in key and key not in choices and nearest(key, names) is not None and find_foreign_name(key) is None:
        raise entry.error(unknown("key of an arm", key, names))
    _check_free(key, entry)
    value = read_setting(key, entry, choices)
    if isinstance(value, tuple | list | dict):
        raise entry.wrong("a single value")
    if key == "model.config" and is_file(str(value)):
        raise entry.wrong("a model type of transformers, such as opt, in an arm (only base reads a config.json)")
    if key in options() and options()[key].extensible and is_import_path(value):
        check_import(key, str(value), entry)
    return value


def _check_free(key: str, entry: Entry) -> None:
    for fixed, why in PER_STUDY.items():
        if key == fixed or key.startswith(f"{fixed}."):
            raise entry.error(f"an arm cannot set {key}: {fixed} {why}")


def _check_parent(
    other: str,
    name: str,
    entry: Entry,
    entries: Mapping[str, Entry],
    arms: Mapping[str, Arm],
    baselines: Mapping[str, Baseline],
) -> None:
    """Refuse what is no arm, and a control: it has no settings of its own."""
    known = [*(each for each in entries if each != name), *baselines, BEST]
    if other not in known:
        raise entry.error(unknown(entry.key, other, known))
    if other in arms and arms[other].matched is not None:
        raise entry.error(
            f"{entry.key} must not name a control, which has the settings of {arms[other].matched}: name that; got "
            f"'{other}'"
        )


def _parents_first(arms: Mapping[str, Arm]) -> list[str]:
    """Return the names of the arms in an order in which those that an arm names come before it.

    Raises:
        CycleError: they name each other in a circle.
    """
    named = {name: {arm.parent} & arms.keys() for name, arm in arms.items()}
    return [str(name) for name in TopologicalSorter(named).static_order()]


def check_arms(space: Space, base: RunConfig, entry: Entry) -> None:
    """Keep a mistake of each arm that does not fit the base, or that names a best trial which there will not be.

    Args:
        space: the study.
        base: what `space.base` composes to.
        entry: of the section `arms`.
    """
    for name in _parents_first(space.arms):
        arm = space.arms[name]
        if arm.parent is not None and arm.parent in space.arms and not entry.inside(arm.parent).is_sound:
            continue
        with entry.mistakes:
            if found_first(space, name) == BEST:
                _check_best(space, arm, entry.inside(name))
            _check_fits(space, name, base, entry.inside(name))


def _check_best(space: Space, arm: Arm, entry: Entry) -> None:
    if space.stop.trials == 0:
        raise entry.error(f"{entry.key} needs the best trial of a search, and stop.trials=0 runs none")
    if arm.matched == BEST and space.finalists.count == 0:
        raise entry.error(
            f"{entry.key} needs the runs of the best trial over fresh seeds: finalists.count must be at least 1; got 0"
        )


def _check_fits(space: Space, name: str, base: RunConfig, entry: Entry) -> None:
    """Refuse an arm whose options do not fit together, or that sets by a group what is the same for every run."""
    try:
        for key, value in own_settings(space.base, space.arms[name]).items():
            _check_free(key, entry)
            if isinstance(value, list | dict):
                raise ConfigError(f"{key} cannot be set in an arm, which sets single values")
        if found_first(space, name) != BEST:
            from_dict(with_settings(to_dict(base), arm_settings(space, name) or {}))
    except UserError as error:
        raise error if getattr(error, "where", None) else entry.error(f"{entry.key}: {error}") from None


def named_by_arms(space: Space) -> Iterator[tuple[str, str]]:
    """Yield each import path that an arm names, and the option that it stands for."""
    for arm in space.arms.values():
        for key, value in own_settings(space.base, arm).items():
            if options()[key].extensible and is_import_path(value):
                yield str(value), key
