"""A search space, read from its YAML file and the overrides on the command line.

The corpus is not read: whether the budget can hold the space is checked when the search starts (budget_check.py).
"""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sleep_tune.babylm.data_protocol import AUTO_PROTOCOL
from sleep_tune.config.checker import read_section
from sleep_tune.config.entry import Entry, MistakeList
from sleep_tune.config.options import options
from sleep_tune.config.yaml_file import read_file
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.experiment.run_protocol import protocol_of_experiment
from sleep_tune.search.space.arms import check_arms, read_arms
from sleep_tune.search.space.base import check_base, read_base
from sleep_tune.search.space.foreign_spaces import hint_at_key
from sleep_tune.search.space.objective import (
    check_claim,
    check_data,
    check_reported,
    read_claim,
    read_objective,
    trained_objectives,
)
from sleep_tune.search.space.parameters import check_listable, read_parameters
from sleep_tune.search.space.search_space import (
    Baseline,
    Claim,
    Finalists,
    Objective,
    Parameter,
    Resources,
    Scheduler,
    Search,
    Space,
    Stop,
)
from sleep_tune.search.space.sections import (
    Known,
    read_baselines,
    read_enqueue,
    read_finalists,
    read_resources,
    read_scheduler,
    read_stop,
    read_warm_start,
)
from sleep_tune.search.space.space_overrides import SECTIONS, override_space
from sleep_tune.search.space.space_path import find_space

__all__ = ["load_space", "read_space"]

T = TypeVar("T")


def load_space(path: Path, overrides: Sequence[str] | Mapping[str, Any] = (), results: Path | None = None) -> Space:
    """Return the search space in a file.

    Args:
        path: of the YAML file, as the user gave it; or the name of a space that comes with the package.
        overrides: see `override_space`.
        results: folder of all experiments; the search in it that has the space's name decides on an
            evaluation.protocol that is auto.

    Raises:
        ConfigError: every mistake, in the order of the lines, those of the command line last: where (file:line, or
            the override), what was expected, what was given and the nearest valid name. If the text is not YAML, only
            the first mistake. A mistake that may follow from another is not reported until that one is corrected.
    """
    path = find_space(path)
    try:
        root = read_file(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if not isinstance(root.value, dict):
        raise root.wrong(f"a mapping of {', '.join(SECTIONS)}")
    return _overridden(root, overrides, path.stem, results)


def read_space(
    content: Mapping[str, Any], overrides: Sequence[str] | Mapping[str, Any] = (), results: Path | None = None
) -> Space:
    """Return the search space that a mapping describes as a file would; it must have a name.

    Args:
        content: what a file would hold.
        overrides: see `override_space`.
        results: folder of all experiments; the search in it that has the space's name decides on an
            evaluation.protocol that is auto.

    Raises:
        ConfigError: every mistake.
    """
    what = "the search space"
    root = Entry(copy.deepcopy(dict(content)), (), {(): what}, MistakeList(what))
    return _overridden(root, overrides, None, results)


def _overridden(
    root: Entry, overrides: Sequence[str] | Mapping[str, Any], name: str | None, results: Path | None
) -> Space:
    """Return the space with its overrides.

    Args:
        root: what a file holds, a dict.
        overrides: see `override_space`.
        name: of the experiment, where the space has none; None if it must have one.
        results: see `load_space`.
    """
    override_space(root, overrides)
    if name is None and root.value.get("name") is None:
        root.mistakes.add(root.error("name must be the name of the experiment, its folder in results/; it is missing"))
    space = _space(root, name or "unnamed", results)
    root.mistakes.check()
    return space


def _space(root: Entry, stem: str, results: Path | None) -> Space:
    """Return the space, with defaults where there are mistakes; the mistakes are kept."""
    fields = root.fields(SECTIONS, hint_at_key)

    def section(name: str) -> Entry:
        return fields.get(name, Entry({}, (name,), root.places, root.mistakes))

    def read(reader: Callable[[Entry], T], name: str, otherwise: T) -> T:
        with root.mistakes:
            return reader(section(name))
        return otherwise

    parameters: tuple[Parameter, ...] = read(read_parameters, "parameters", ())
    known = _known(root, section("parameters"), parameters)
    search = read(lambda entry: read_section(Search, entry, hint_at_key), "search", Search())
    is_grid = search.algorithm == "grid"
    if is_grid:
        check_listable(parameters, section("parameters"))
    stop = Space(name=stem).stop
    if "stop" in fields or is_grid:
        stop = read(lambda entry: read_stop(entry, is_grid=is_grid), "stop", Stop(trials=1))
    if not known and stop.trials != 0:
        text = "a search space must have at least one parameter, or stop.trials=0; got none"
        root.mistakes.add(section("parameters").error(text))
    baselines: Mapping[str, Baseline] = read(lambda entry: read_baselines(entry, known), "baselines", {})
    space = Space(
        name=read(_name, "name", stem) if "name" in fields else stem,
        base=read(lambda entry: read_base(entry, parameters), "base", {}),
        objective=read(read_objective, "objective", Objective()),
        parameters=parameters,
        search=search,
        scheduler=read(lambda entry: read_scheduler(entry, known), "scheduler", Scheduler()),
        stop=stop,
        baselines=baselines,
        arms=read(lambda entry: read_arms(entry, baselines), "arms", {}),
        finalists=read(read_finalists, "finalists", Finalists()),
        comparison=read(read_claim, "comparison", Claim()),
        resources=read(read_resources, "resources", Resources()),
        enqueue=read(lambda entry: read_enqueue(entry, known), "enqueue", ()) if "enqueue" in fields else (),
        warm_start=read(read_warm_start, "warm_start", ()) if "warm_start" in fields else (),
        where={".".join(map(str, keys)): place for keys, place in root.places.items()},
    )
    if section("stop").is_sound and stop.trials == 0 and not section("baselines").value and not section("arms").value:
        root.mistakes.add(section("stop").error("stop.trials=0 runs arms and baselines alone, and there are none"))
    if section("baselines").is_sound and section("arms").is_sound and section("comparison").is_sound:
        with root.mistakes:
            _check_reference(space, section("comparison"))
    if section("base").is_sound:
        recorded = AUTO_PROTOCOL if results is None else protocol_of_experiment(results / space.name)
        _check_whole(space, section, recorded)
    return space


def _known(root: Entry, entry: Entry, parameters: tuple[Parameter, ...]) -> Known:
    """Return the parameters of the file; where a key is misspelt, every option, as the key may stand for any."""
    unread = not isinstance(entry.value, dict) or entry.has_unknown_keys(options())
    if unread or (not entry.value and root.has_unknown_keys(SECTIONS)):
        return dict.fromkeys(options()) | {parameter.key: parameter for parameter in parameters}
    return dict.fromkeys(entry.value) | {parameter.key: parameter for parameter in parameters}


def _check_reference(space: Space, entry: Entry) -> None:
    """Refuse a reference that is neither an arm nor a baseline; a study without arms may have none."""
    known, name = (*space.baselines, *space.arms), space.comparison.reference
    if name in known:
        return
    if "reference" in entry.value:
        raise entry.inside("reference").error(unknown("arm or baseline as comparison.reference", name, known))
    if space.arms:
        raise entry.error(
            f"comparison.reference must name an arm or a baseline ({', '.join(known)}); it is {name} by default"
        )


def _check_whole(space: Space, section: Callable[[str], Entry], recorded: str) -> None:
    """Keep mistakes of the base as a whole, and of the arms, the objective and the comparison with it."""
    base, arms, objective, claim = map(section, ("base", "arms", "objective", "comparison"))
    composed = check_base(space, base, recorded)
    if composed is None:
        return
    with base.mistakes:
        check_data(composed, base)
    if not (arms.is_sound and section("baselines").is_sound):
        return
    check_arms(space, composed, arms)
    objectives = trained_objectives(space, composed)
    if objective.is_sound:
        with objective.mistakes:
            check_reported(space.objective.metric, composed, objective, objectives)
    if claim.is_sound and objective.is_sound:
        with claim.mistakes:
            check_claim(space.comparison, space.objective.metric, composed, claim, objectives)


def _name(entry: Entry) -> str:
    if not isinstance(entry.value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", entry.value):
        raise entry.wrong("text of letters, digits, '.', '_' and '-', as its folder results/<name> is called")
    return entry.value
