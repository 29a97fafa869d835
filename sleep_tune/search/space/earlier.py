"""What a search knows before it asks: points that are trained first, and earlier experiments that it takes trials of.

Opens no experiment: whether an earlier one matches is found out when the search is opened.
"""

from collections.abc import Mapping

from sleep_tune.config.checker import check_value
from sleep_tune.config.entry import Entry, shown
from sleep_tune.config.options import options
from sleep_tune.errors import unknown
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.search_space import Choice, Domain, Int, LogUniform, Parameter, Uniform, contains

__all__ = ["read_enqueue", "read_warm_start"]


def read_warm_start(entry: Entry) -> tuple[str, ...]:
    """The folders, as they were given; mistakes in one are kept.

    Raises:
        ConfigError: no list.
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


def read_enqueue(entry: Entry, known: Mapping[str, Parameter | None]) -> tuple[Mapping[str, Value], ...]:
    """The points, with their parameters in the space's order; mistakes in one are kept.

    Args:
        entry: what was given.
        known: the space's parameters by key; None for one in which there is a mistake.

    Raises:
        ConfigError: no list.
    """
    points = []
    for item in entry.items("a list of points"):
        with item.mistakes:
            points.append(_point(item, known))
    return tuple(points)


def _point(entry: Entry, known: Mapping[str, Parameter | None]) -> dict[str, Value]:
    given = entry.mapping("a mapping of the space's parameters to a value each")
    if not given:
        raise entry.error("a point of enqueue must set at least one parameter; got none")
    for key, inner in given.items():
        if key not in known:
            with inner.mistakes:
                raise inner.error(unknown("parameter of a point in enqueue", key, known))
    point: dict[str, Value] = {}
    for key, parameter in known.items():
        if key in given and parameter is not None:
            with entry.mistakes:
                point[key] = _value(parameter, given[key])
                _check_active(parameter, given, given[key])
    return point


def _check_active(parameter: Parameter, given: Mapping[str, Entry], entry: Entry) -> None:
    for other, allowed in parameter.when.items():
        if other not in given or given[other].value not in allowed:
            got = shown(given[other].value) if other in given else "none"
            values = ", ".join(shown(value) for value in allowed)
            told = f"{parameter.key} is searched only where {other} is one of: {values}; got {got}"
            raise entry.error(told)


def _value(parameter: Parameter, entry: Entry) -> Value:
    value: Value = check_value(options()[parameter.key], entry)
    if isinstance(parameter.domain, Int) and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not contains(parameter.domain, value):
        raise entry.error(
            f"{parameter.key} must be {_expected(parameter.domain)}, as in parameters; got {shown(entry.value)}"
        )
    return value


def _expected(domain: Domain) -> str:
    match domain:
        case Choice(values):
            return f"one of: {', '.join(shown(value) for value in values)}"
        case Int(low, high):
            return f"a whole number in [{low}, {high}]"
        case Uniform(low, high) | LogUniform(low, high):
            return f"in [{low:g}, {high:g}]"
