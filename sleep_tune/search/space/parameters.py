"""The parameters of a search space, read and checked against the options that they set."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import combinations

from sleep_tune.config.entry import Entry, shown
from sleep_tune.config.options import options
from sleep_tune.config.schema import ONE_OF
from sleep_tune.config.tree import unknown_key
from sleep_tune.errors import unknown
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.domain_reader import DOMAIN_KEYS, DOMAINS, read_domain
from sleep_tune.search.space.foreign_spaces import describe_domain
from sleep_tune.search.space.search_space import Choice, LogUniform, Parameter, Uniform

__all__ = ["FIXED", "always_searched", "check_listable", "read_parameters"]

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
    fields = entry.fields((*DOMAIN_KEYS, "when"))
    if fields.keys().isdisjoint(DOMAINS) and entry.has_unknown_keys((*DOMAIN_KEYS, "when")):
        return None
    when: dict[str, tuple[Value, ...]] = {}
    if "when" in fields:
        with entry.mistakes:
            when = _when(fields["when"])
    return Parameter(key, read_domain(options()[key], fields, entry), when)


def _when(entry: Entry) -> dict[str, tuple[Value, ...]]:
    when = {}
    for other, values in entry.mapping("a mapping of another parameter to a list of its values").items():
        when[other] = tuple(item.value for item in values.items("a list of values"))
        if not when[other]:
            raise values.wrong("a list of at least one value")
    return when


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
    """Keep a mistake for each range of real numbers without a step, which a grid cannot list."""
    for parameter in parameters:
        match parameter.domain:
            case Uniform(low, high, None) | LogUniform(low, high):
                kind = "uniform" if isinstance(parameter.domain, Uniform) else "log_uniform"
                stepped = "a step beside uniform, " if kind == "uniform" else ""
                text = (
                    f"search.algorithm=grid trains every value, and {parameter.key} is a range of real numbers; write "
                    f"the values that it should train: choice: [{low:g}, ..., {high:g}], {stepped}or int for whole "
                    "numbers"
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
