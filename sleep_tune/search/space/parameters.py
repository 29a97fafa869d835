"""The parameters of a search space, read and checked against the options that they set."""

import math
from collections.abc import Callable, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import combinations

from sleep_tune.config.checker import check_value
from sleep_tune.config.entry import Entry, shown
from sleep_tune.config.options import Option, options
from sleep_tune.config.schema import ONE_OF
from sleep_tune.config.tree import unknown_key
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.experiment.trial_state import Value
from sleep_tune.import_paths import import_function, is_import_path
from sleep_tune.search.space.foreign_spaces import describe_domain
from sleep_tune.search.space.search_space import Choice, Domain, Int, LogUniform, Parameter, Uniform

__all__ = ["DOMAINS", "FIXED", "always_searched", "check_import", "check_listable", "read_parameters"]

FIXED = {
    "run": "says where a run's files are",
    "data": "is the same for every run of a study",
    "tokenizer": "is the same for every run of a study",
    "budget": "is the same for every run of a study",
    "evaluation": "is the same for every run of a study",
    "sleep.matched": "is set by the search: an arm with matched is a control",
    "training.seed": "is set by the search: finalists and baselines are repeated over fresh seeds",
    "training.device": "does not change what is trained",
    "training.threads": "does not change what is trained",
}
"""Options (and sections) that cannot be searched, and why."""


def read_parameters(entry: Entry) -> tuple[Parameter, ...]:
    """Return the parameters without a mistake; those that a `when` names come before the parameter that names them.

    Mistakes are kept: a key that is no option or cannot be searched, a domain that the option does not have, a `when`
    that names no other parameter or is circular, two parameters that exclude each other.

    Raises:
        ConfigError: it is no mapping.
    """
    entries = entry.mapping("a mapping of options, each with its choice, uniform, log_uniform or int")
    read: dict[str, Parameter | None] = dict.fromkeys(entries)
    for key, inner in entries.items():
        with inner.mistakes:
            read[key] = _parameter(key, inner)
    parameters = {key: parameter for key, parameter in read.items() if parameter is not None}
    may_be_misspelt = entry.has_unknown_keys(options())
    for key, parameter in parameters.items():
        for other in parameter.when:
            with entry.mistakes:
                _check_when(parameters, entries, key, other, may_be_misspelt)
    sound = {key: parameter for key, parameter in parameters.items() if entries[key].is_sound}
    with entry.mistakes:
        ordered = _in_order(sound, entries)
        _check_exclusive(ordered, entries)
        return ordered
    return tuple(sound.values())


def _parameter(key: str, entry: Entry) -> Parameter | None:
    """Return one parameter, or None where its domain may be a misspelt key (that mistake is kept)."""
    if key not in options():
        raise entry.error(unknown_key(key))
    for fixed, why in FIXED.items():
        if key == fixed or key.startswith(f"{fixed}."):
            raise entry.error(f"{key} cannot be searched: {fixed} {why}")
    foreign = describe_domain(entry.value, is_whole=options()[key].type is int)
    if foreign is not None:
        raise entry.error(f"{entry.key} must be a mapping of {', '.join(DOMAINS)}, when: {foreign}")
    fields = entry.fields((*DOMAINS, "when"))
    kinds = [name for name in fields if name in DOMAINS]
    if not kinds and entry.has_unknown_keys((*DOMAINS, "when")):
        return None
    if len(kinds) != 1:
        raise entry.error(f"{key} must have exactly one of {', '.join(DOMAINS)}; got {' and '.join(kinds) or 'none'}")
    when: dict[str, tuple[Value, ...]] = {}
    if "when" in fields:
        with entry.mistakes:
            when = _when(fields["when"])
    return Parameter(key, DOMAINS[kinds[0]](options()[key], fields[kinds[0]]), when)


def _when(entry: Entry) -> dict[str, tuple[Value, ...]]:
    when = {}
    for other, values in entry.mapping("a mapping of another parameter to a list of its values").items():
        when[other] = tuple(item.value for item in values.items("a list of values"))
        if not when[other]:
            raise values.wrong("a list of at least one value")
    return when


def _choice(option: Option, entry: Entry) -> Choice:
    values: list[Value] = []
    for item in entry.items("a list of values"):
        with item.mistakes:
            if isinstance(item.value, list | dict):
                raise item.wrong("a single value")
            value: Value = check_value(option, item)
            if option.extensible and is_import_path(value):
                check_import(option.key, str(value), item)
            if any(value == other and type(value) is type(other) for other in values):
                raise item.error(f"{option.key}: the choice {shown(item.value)} is given twice")
            values.append(value)
    if not entry.value:
        raise entry.wrong("a list of at least one value")
    return Choice(tuple(values))


def check_import(key: str, path: str, item: Entry) -> None:
    """Refuse an import path that cannot be imported.

    Args:
        key: of the option.
        path: module:function.
        item: where it was given.

    Raises:
        ConfigError: it cannot be imported.
    """
    try:
        import_function(path, key)
    except ConfigError as error:
        raise item.error(str(error)) from error


def _uniform(option: Option, entry: Entry) -> Uniform:
    return Uniform(*_reals(option, entry))


def _log_uniform(option: Option, entry: Entry) -> LogUniform:
    low, high = _reals(option, entry)
    if low <= 0:
        raise entry.wrong("[low, high] with low above 0, for its logarithm to exist")
    return LogUniform(low, high)


def _int(option: Option, entry: Entry) -> Int:
    if option.type not in (int, float):
        raise entry.error(f"{option.key} must be {option.expected}: search it by choice, not by int")
    low, high = _ends(option, entry)
    for item in entry.items():
        if not isinstance(item.value, int):
            raise item.wrong("a whole number")
    return Int(int(low), int(high))


def _reals(option: Option, entry: Entry) -> tuple[float, float]:
    if option.type is not float:
        better = "int" if option.type is int else "choice"
        kind = entry.path[-1]
        raise entry.error(f"{option.key} must be {option.expected}: search it by {better}, not by {kind}")
    return _ends(option, entry)


def _ends(option: Option, entry: Entry) -> tuple[float, float]:
    ends = list(entry.items("a list [low, high]"))
    if len(ends) != 2:
        raise entry.wrong("a list [low, high] of two numbers")
    low, high = (check_value(option, item) for item in ends)
    if low is None or high is None or not math.isfinite(high - low) or low >= high:
        raise entry.wrong("[low, high] with low below high")
    return low, high


DOMAINS: dict[str, Callable[[Option, Entry], Domain]] = {
    "choice": _choice,
    "uniform": _uniform,
    "log_uniform": _log_uniform,
    "int": _int,
}
"""Name in the file -> function(option, entry) to the domain."""


def _check_when(
    parameters: Mapping[str, Parameter],
    entries: Mapping[str, Entry],
    key: str,
    other: str,
    may_be_misspelt: bool,
) -> None:
    entry = entries[key].inside("when").inside(other)
    if other == key:
        raise entry.error(f"{key} is conditional on itself")
    if other not in entries and not (other in options() and may_be_misspelt):
        raise entry.error(unknown(f"parameter in when of {key}", other, [name for name in entries if name != key]))
    if other not in parameters or not entries[other].is_sound:
        return  # its own mistake is reported already
    domain = parameters[other].domain
    if not isinstance(domain, Choice):
        raise entry.error(f"when can name a choice only; {other} is a range")
    for item in entry.items():
        if item.value not in domain.values:
            choices = ", ".join(shown(value) for value in domain.values)
            raise item.error(f"{shown(item.value)} is no choice of {other}; choose among: {choices}")


def _in_order(parameters: Mapping[str, Parameter], entries: Mapping[str, Entry]) -> tuple[Parameter, ...]:
    """Return the parameters in the order of the file, except that those a `when` names come first."""
    ordered: dict[str, Parameter] = {}
    while len(ordered) < len(parameters):
        rest = {key: parameter for key, parameter in parameters.items() if key not in ordered}
        ready = next((parameter for parameter in rest.values() if rest.keys().isdisjoint(parameter.when)), None)
        if ready is None:
            circle = _circle(rest)
            raise entries[circle[0]].error(f"when is circular: {' -> '.join(circle)}")
        ordered[ready.key] = ready
    return tuple(ordered.values())


def _circle(parameters: Mapping[str, Parameter]) -> list[str]:
    """Return the keys of a circle among parameters of which each is conditional on another; the first comes twice."""
    try:
        TopologicalSorter({key: parameter.when for key, parameter in parameters.items()}).prepare()
    except CycleError as error:
        return [str(key) for key in reversed(error.args[1])]
    raise AssertionError("there is no circle")


def _check_exclusive(parameters: tuple[Parameter, ...], entries: Mapping[str, Entry]) -> None:
    """Refuse to search two options that exclude each other, unless their `when`s never hold at once."""
    for section, members in ONE_OF.items():
        rivals = [parameter for parameter in parameters if parameter.key in {f"{section}.{name}" for name in members}]
        for first, second in combinations(rivals, 2):
            shared = first.when.keys() & second.when.keys()
            if not any(set(first.when[key]).isdisjoint(second.when[key]) for key in shared):
                raise entries[second.key].error(
                    f"{first.key} and {second.key} exclude each other: search one, or keep them apart by a when "
                    "on the same choice"
                )


def check_listable(parameters: tuple[Parameter, ...], entry: Entry) -> None:
    """Keep a mistake for each range of reals, which a grid cannot list."""
    for parameter in parameters:
        match parameter.domain:
            case Uniform(low, high) | LogUniform(low, high):
                kind = "uniform" if isinstance(parameter.domain, Uniform) else "log_uniform"
                text = (
                    f"search.algorithm=grid trains every value, and {parameter.key} is a range of real numbers; write "
                    f"the values that it should train: choice: [{low:g}, ..., {high:g}], or int for whole numbers"
                )
                entry.mistakes.add(entry.inside(parameter.key).inside(kind).error(text))


def always_searched(parameters: tuple[Parameter, ...]) -> set[str]:
    """Return the options that the search sets in every trial, with those that they exclude (`ONE_OF`)."""
    always = {parameter.key for parameter in parameters if not parameter.when}
    for section, members in ONE_OF.items():
        keys = {f"{section}.{name}" for name in members}
        if keys & always:
            always |= keys
    return always
