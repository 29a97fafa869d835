"""Sections of a search space that need more than a check of each option, most of them as they name its parameters.

The folders of `warm_start` are not opened: whether an earlier experiment matches is checked when the search starts.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

from sleep_tune.config.checker import check_value, read_section
from sleep_tune.config.entry import Entry, shown
from sleep_tune.config.options import options, section_fields
from sleep_tune.errors import unknown
from sleep_tune.experiment.trial_state import Value
from sleep_tune.names import BASELINES
from sleep_tune.search.space.domains import contains, nearest
from sleep_tune.search.space.foreign_spaces import hint_at_key
from sleep_tune.search.space.rungs import rungs_of
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Domain,
    Finalists,
    Int,
    LogUniform,
    Looks,
    Parameter,
    Resources,
    Scheduler,
    Stop,
)

__all__ = ["Known", "read_baselines", "read_enqueue", "read_finalists", "read_resources", "read_scheduler"]
__all__ += ["read_stop", "read_warm_start"]

BASELINE = ("trials", "parameters", "like")
"""Options of a baseline."""

Known = Mapping[str, Parameter | None]
"""The parameters of a space by key; None for one that has a mistake."""


def read_scheduler(entry: Entry, known: Known) -> Scheduler:
    """Return how trials are stopped early; mistakes in single options are kept.

    Raises:
        ConfigError: no trial would ever be compared.
    """
    scheduler = read_section(Scheduler, entry, hint_at_key)
    if scheduler.within is not None:
        with entry.mistakes:
            _check_within(scheduler.within, entry.inside("within"), known)
    keys = [key for key in ("first_rung", "reduction", "name") if key in entry.value]
    if all(entry.inside(key).is_sound for key in keys) and scheduler.name != "none" and not rungs_of(scheduler):
        raise entry.inside(keys[0]).error(
            f"scheduler.first_rung must be at most 1 / scheduler.reduction = {1 / scheduler.reduction:.3g}, or no "
            f"trial is ever compared (for that: scheduler.name=none); got {scheduler.first_rung:g}"
        )
    return scheduler


def _check_within(within: str, entry: Entry, known: Known) -> None:
    if within not in known:
        raise entry.error(unknown("parameter in scheduler.within", within, known))
    parameter = known[within]
    if parameter is not None and not isinstance(parameter.domain, Choice):
        raise entry.error(f"scheduler.within must name a choice; {within} is a range")


def read_stop(entry: Entry, *, is_grid: bool) -> Stop:
    """Return when the search ends; mistakes in single options are kept. A grid ends after its last point.

    Raises:
        ConfigError: nothing would ever end it.
    """
    stop = read_section(Stop, entry, hint_at_key)
    if entry.is_sound and stop == Stop() and not is_grid:
        raise entry.error("the search would never end: set stop.trials, hours, gpu_hours or no_improvement; got none")
    return stop


def read_resources(entry: Entry) -> Resources:
    """Return the resources of a trial; mistakes in single options are kept.

    Raises:
        ConfigError: shares of GPUs that cannot be had.
    """
    resources = read_section(Resources, entry, hint_at_key)
    gpus = resources.gpus_per_worker
    if not entry.is_sound or isinstance(gpus, str) or gpus in (0, 1):
        return resources
    if gpus > 1 and gpus % 1:
        raise entry.inside("gpus_per_worker").error(
            f"resources.gpus_per_worker must be at most 1, or whole; got {gpus:g}, and the nearest are {gpus // 1:g} "
            f"and {gpus // 1 + 1:g}"
        )
    if gpus < 1 and resources.workers > 1:
        raise entry.inside("gpus_per_worker").error(
            f"resources.gpus_per_worker must be whole where resources.workers is above 1, since the workers of one "
            f"trial cannot share a GPU; got {gpus:g} with {resources.workers} workers"
        )
    return resources


def read_baselines(entry: Entry, known: Known) -> dict[str, Baseline]:
    """Return the baselines by name; mistakes in a baseline are kept.

    Raises:
        ConfigError: it is no mapping.
    """
    baselines = {}
    for name, inner in entry.mapping(f"a mapping of {', '.join(BASELINES)}").items():
        with inner.mistakes:
            if name not in BASELINES:
                raise inner.error(unknown("baseline", name, BASELINES))
            baselines[name] = _baseline(inner, known)
    for name, baseline in baselines.items():
        if baseline.like is not None and entry.is_sound:
            with entry.mistakes:
                _check_like(baseline.like, name, baselines, entry.inside(name).inside("like"))
    return baselines


def _check_like(other: str, name: str, baselines: Mapping[str, Baseline], entry: Entry) -> None:
    """Refuse a baseline without settings of its own search as one that another has the settings of."""
    tuned = [each for each, baseline in baselines.items() if baseline.trials is not None]
    if other not in tuned:
        given = ", ".join(tuned) or "none is"
        raise entry.error(f"{entry.key} must name a baseline that is tuned ({given}); got '{other}'")


def _baseline(entry: Entry, known: Known) -> Baseline:
    fields = entry.fields(BASELINE)
    given = [key for key, inner in fields.items() if inner.value not in (None, [])]
    if "like" in given:
        if len(given) > 1:
            raise entry.error(f"{entry.key} must have like alone, or trials and parameters; got {', '.join(given)}")
        return Baseline(like=read_section(Baseline, entry).like)
    fields.pop("like", None)
    if not fields:
        return Baseline()
    if len(fields) < 2:
        if entry.has_unknown_keys(BASELINE):
            return Baseline()
        raise entry.error(f"{entry.key} is tuned by trials and parameters together, or {{}} is not tuned; got one")
    trials_only = Entry({"trials": fields["trials"].value}, entry.path, entry.places, entry.mistakes)
    trials = read_section(Baseline, trials_only).trials
    names: list[str] = []
    for item in fields["parameters"].items("a list of the space's parameters"):
        with item.mistakes:
            names.append(_tuned_parameter(item, entry.key, known))
    if entry.is_sound and (bool(names) != (trials is not None)):
        raise entry.error(f"{entry.key} must have at least one trial and one parameter; got {entry.value}")
    for item in fields["parameters"].items():
        parameter = known.get(item.value) if isinstance(item.value, str) else None
        for other in parameter.when if parameter is not None else ():
            if other not in names:
                text = f"{item.value} is conditional on {other}, which {entry.key}.parameters leaves out"
                entry.mistakes.add(item.error(text))
    return Baseline(trials=trials, parameters=tuple(names))


def _tuned_parameter(item: Entry, baseline: str, known: Known) -> str:
    name = item.value
    if not isinstance(name, str) or name not in known:
        raise item.error(unknown(f"parameter of {baseline}", name, known))
    if name.startswith("sleep."):
        raise item.error(f"{baseline} cannot search {name}: a baseline's options of sleep are fixed")
    return name


def read_finalists(entry: Entry) -> Finalists:
    """Return which runs are repeated over fresh seeds; mistakes in single options are kept.

    Raises:
        ConfigError: it is no mapping.
    """
    given = entry.mapping(f"a mapping of {', '.join(section_fields(Finalists))}")
    for key in given.keys() & section_fields(Looks).keys():
        raise given[key].error(f"{given[key].key} must be written in seeds: write seeds: {{looks: [5, 8, 12]}}")
    seeds = given.get("seeds")
    if seeds is None or not isinstance(seeds.value, dict | list):
        return read_section(Finalists, entry)
    others = {key: inner.value for key, inner in given.items() if key != "seeds"}
    finalists = read_section(Finalists, Entry(others, entry.path, entry.places, entry.mistakes))
    with entry.mistakes:
        finalists = replace(finalists, seeds=_read_looks(seeds))
    return finalists


def _read_looks(entry: Entry) -> tuple[int, ...]:
    if isinstance(entry.value, list):
        raise entry.wrong(f"a whole number, or {{looks: {shown(entry.value)}}} to judge the evidence at each of these")
    looks = read_section(Looks, entry).looks
    if entry.is_sound and (not looks or any(first >= second for first, second in pairwise(looks))):
        raise entry.inside("looks").wrong("a list of ascending whole numbers, such as [5, 8, 12]")
    return looks


def read_warm_start(entry: Entry) -> tuple[str, ...]:
    """Return the folders of earlier experiments, as they were given; mistakes in single folders are kept.

    Raises:
        ConfigError: it is no list.
    """
    folders: list[str] = []
    for item in entry.items("a list of folders of earlier experiments"):
        with item.mistakes:
            if not isinstance(item.value, str) or not item.value.strip():
                raise item.wrong("the folder of an earlier experiment, such as results/earlier")
            if item.value in folders:
                raise item.error(f"warm_start: the folder {shown(item.value)} is given twice")
            folders.append(item.value)
    return tuple(folders)


def read_enqueue(entry: Entry, known: Known) -> tuple[Mapping[str, Value], ...]:
    """Return the points that are trained first, with their parameters in the space's order.

    Mistakes in single points are kept.

    Raises:
        ConfigError: it is no list.
    """
    points = []
    for item in entry.items("a list of points"):
        with item.mistakes:
            points.append(_point(item, known))
    return tuple(points)


def _point(entry: Entry, known: Known) -> dict[str, Value]:
    given = entry.mapping("a mapping of the space's parameters to a value each")
    if not given:
        raise entry.error("a point of enqueue must set at least one parameter; got none")
    for key, inner in given.items():
        if key not in known:
            entry.mistakes.add(inner.error(unknown("parameter of a point in enqueue", key, known)))
    point: dict[str, Value] = {}
    for key, parameter in known.items():
        if key in given and parameter is not None:
            with entry.mistakes:
                point[key] = _value_in_domain(parameter, given[key])
                _check_active(parameter, given, given[key])
    return point


def _check_active(parameter: Parameter, given: Mapping[str, Entry], entry: Entry) -> None:
    """Refuse a value of a conditional parameter where its `when` does not hold."""
    for other, allowed in parameter.when.items():
        if other not in given or given[other].value not in allowed:
            got = shown(given[other].value) if other in given else "none"
            values = ", ".join(shown(value) for value in allowed)
            raise entry.error(f"{parameter.key} is searched only where {other} is one of: {values}; got {got}")


def _value_in_domain(parameter: Parameter, entry: Entry) -> Value:
    value: Value = check_value(options()[parameter.key], entry)
    if isinstance(parameter.domain, Int) and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not contains(parameter.domain, value):
        raise entry.error(
            f"{parameter.key} must be {_expected(parameter.domain, value)}, as in parameters; got {shown(entry.value)}"
        )
    return value


def _expected(domain: Domain, given: Value) -> str:
    """Return what a value must be, for a message; of a range with a step, with the value nearest to the given one."""
    if isinstance(domain, Choice):
        return f"one of: {', '.join(shown(value) for value in domain.values)}"
    is_whole = isinstance(domain, Int)
    text = f"a whole number in [{domain.low}, {domain.high}]" if is_whole else f"in [{domain.low:g}, {domain.high:g}]"
    if isinstance(domain, LogUniform) or domain.step in (None, 1) or not isinstance(given, int | float):
        return text
    return f"{text} in steps of {domain.step:g}, such as {nearest(domain, given):g}"
