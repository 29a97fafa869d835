"""Reading a parameter's domain, `{uniform: [0, 1], step: 0.1}`, checked against the option that it sets."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

from sleep_tune.config.checker import check_value
from sleep_tune.config.entry import Entry, shown
from sleep_tune.config.options import Option
from sleep_tune.errors import ConfigError
from sleep_tune.experiment.trial_state import Value
from sleep_tune.import_paths import import_function, is_import_path
from sleep_tune.search.space.search_space import Choice, Domain, Int, LogUniform, Uniform

__all__ = ["DOMAINS", "DOMAIN_KEYS", "MODIFIERS", "MOST_STEPS", "check_import", "read_domain"]

MODIFIERS = {"step": ("uniform", "int"), "log": ("int",)}
"""Key beside a domain -> the domains that it can change."""

MOST_STEPS = 1_000_000
"""Steps of a range of real numbers, at most: Optuna tells about ten times as many apart."""


def read_domain(option: Option, fields: Mapping[str, Entry], entry: Entry) -> Domain:
    """Return the domain of a parameter.

    Args:
        option: that it sets.
        fields: what was given, by key, of `DOMAIN_KEYS`.
        entry: the parameter.

    Raises:
        ConfigError: a mistake in it.
    """
    kinds = [name for name in fields if name in DOMAINS]
    if len(kinds) != 1:
        names = ", ".join(DOMAINS)
        raise entry.error(f"{option.key} must have exactly one of {names}; got {' and '.join(kinds) or 'none'}")
    domain = DOMAINS[kinds[0]](option, fields[kinds[0]])
    for name, changed in MODIFIERS.items():
        if name in fields and kinds[0] not in changed:
            instead = "; write log_uniform" if (kinds[0], name) == ("uniform", "log") else ""
            raise fields[name].error(
                f"{entry.key}.{name} must be beside {' or '.join(changed)}; got {kinds[0]}{instead}"
            )
    if isinstance(domain, Uniform | Int) and "step" in fields:
        domain = _with_step(domain, fields["step"])
    if isinstance(domain, Int) and "log" in fields:
        domain = _with_log(domain, fields["log"])
    return domain


def _with_step(domain: Uniform | Int, entry: Entry) -> Uniform | Int:
    """Return a range in steps, of which the last must reach its end."""
    is_whole = isinstance(domain, Int)
    step = entry.value
    if isinstance(step, bool) or not isinstance(step, int if is_whole else int | float) or not 0 < step < math.inf:
        raise entry.wrong("a whole number above 0" if is_whole else "a number above 0")
    if step > domain.high - domain.low:
        raise entry.wrong(f"at most high - low = {domain.high - domain.low:g}")
    if isinstance(domain, Uniform) and domain.high - domain.low > MOST_STEPS * step:
        raise entry.wrong(f"at least (high - low) / {MOST_STEPS:,} = {(domain.high - domain.low) / MOST_STEPS:g}")
    low, high, exact = (Decimal(repr(number)) for number in (domain.low, domain.high, step))
    rest = (high - low) % exact
    if rest:
        fitting = f"[{low}, {high - rest}] or [{low}, {high - rest + exact}]"
        raise entry.error(f"{entry.key} must lead from {low} to {high} in whole steps, as in {fitting}; got {step}")
    return replace(domain, step=step) if isinstance(domain, Int) else replace(domain, step=float(step))


def _with_log(domain: Int, entry: Entry) -> Int:
    """Return a range of whole numbers whose logarithm is uniform."""
    if not isinstance(entry.value, bool):
        raise entry.wrong("true or false")
    if entry.value and domain.step != 1:
        raise entry.error(
            f"{entry.key}: a logarithmic range has no step; leave out one of them; got step {domain.step}"
        )
    if entry.value and domain.low < 1:
        raise entry.error(f"{entry.key} needs low >= 1, for its logarithm to exist; got {domain.low}")
    return replace(domain, log=entry.value)


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

DOMAIN_KEYS = (*DOMAINS, *MODIFIERS)
"""Keys of a parameter that make up its domain."""
