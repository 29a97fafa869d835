"""Search spaces as W&B sweeps, Optuna and Ray Tune write them: hints for keys and for ranges of parameters.

A hint states the same range in this package's words, or says that there is none.
"""

import ast
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from sleep_tune.config.entry import shown
from sleep_tune.config.foreign_names import ForeignName, plain_name

__all__ = ["describe_domain", "find_space_key", "hint_at_key", "space_keys"]

SECONDS = "in hours, not seconds"
GOAL = "min or max"

TABLES: Mapping[str, tuple[tuple[str, str, str], ...]] = {
    "W&B sweeps": (
        ("metric", "objective", "a section, such as {metric: eval/nll, mode: min}"),
        ("method", "search.algorithm", "one of grid, random, qmc, tpe, gp (both Bayesian methods)"),
        ("goal", "objective.mode", GOAL),
        ("early_terminate", "scheduler", "a section, such as {name: asha, reduction: 3}"),
        ("run_cap", "stop.trials", ""),
        ("program", "", "every trial trains what base and parameters say"),
        ("command", "", "every trial trains what base and parameters say"),
        ("project", "base", "as its option tracking.project"),
        ("entity", "base", "as its option tracking.entity"),
    ),
    "Optuna": (
        ("n_trials", "stop.trials", ""),
        ("timeout", "stop.hours", SECONDS),
        ("direction", "objective.mode", GOAL),
        ("sampler", "search.algorithm", "one of grid, random, qmc, tpe, gp"),
        ("n_startup_trials", "search.startup", ""),
        ("pruner", "scheduler", "a section, such as {name: asha, reduction: 3}"),
        ("study_name", "name", ""),
        ("n_jobs", "resources", "since as many trials run at a time as fit: workers, cpus_per_worker, gpus_per_worker"),
    ),
    "Ray Tune": (
        ("num_samples", "stop.trials", ""),
        ("time_budget_s", "stop.hours", SECONDS),
        ("search_alg", "search.algorithm", "one of grid, random, qmc, tpe, gp"),
        ("grace_period", "scheduler.first_rung", "a share of the budget"),
        ("reduction_factor", "scheduler.reduction", ""),
        ("max_t", "base", "whose budget (budget.words or budget.passes) all trials share"),
        ("param_space", "parameters", "a section: what all trials share is in base"),
        ("points_to_evaluate", "enqueue", "a list of points, each with some or all of the parameters"),
        ("max_failures", "resources.max_retries", ""),
        ("resources_per_trial", "resources", "a section: workers, cpus_per_worker, gpus_per_worker"),
        (
            "max_concurrent_trials",
            "resources",
            "since as many trials run at a time as fit: workers, cpus_per_worker, gpus_per_worker",
        ),
    ),
    "many tools": (("seed", "search.seed", "the seed of the search; base may set training.seed"),),
}
"""Tool -> (its name, the section or option of a search space, how it differs)."""

TOP_ONLY = ("metric", "seed")
"""Names that mean something else inside a section."""


def space_keys() -> Iterator[ForeignName]:
    """Yield every entry of the tables."""
    for tool, entries in TABLES.items():
        yield from (ForeignName(tool, *entry) for entry in entries)


BY_NAME: Mapping[str, ForeignName] = MappingProxyType({entry.name: entry for entry in space_keys()})


def find_space_key(key: str) -> ForeignName | None:
    """Return the entry for a key (dotted) of a space whose last part is another tool's name; else None."""
    section, _, last = key.rpartition(".")
    name = plain_name(last)
    return None if section and name in TOP_ONLY else BY_NAME.get(name)


def hint_at_key(key: str) -> str | None:
    """Return what to write instead of a key of another tool; None if it is none (`Entry.fields`).

    >>> hint_at_key("run_cap")
    'unknown key run_cap; run_cap of W&B sweeps is stop.trials here'
    """
    entry = find_space_key(key)
    return None if entry is None else f"unknown key {key}; {entry.hint}"


def describe_domain(value: Any, *, is_whole: bool) -> str | None:
    """Return how a parameter's range in another tool's words is written here; None if it is not in such words.

    Args:
        value: what was given for the parameter.
        is_whole: whether its option takes whole numbers only.

    >>> describe_domain({"min": 0.1, "max": 0.5}, is_whole=False)
    'write {uniform: [0.1, 0.5]}'
    >>> describe_domain("tune.randint(2, 10)", is_whole=True)
    'write {int: [2, 9]}: randint leaves out its upper end'
    """
    if isinstance(value, list):
        return _choice([value], {})
    call = _from_text(value) if isinstance(value, str) else _from_mapping(value, is_whole=is_whole)
    if call is None:
        return None
    name, arguments, options = call
    try:
        return CALLS[name](arguments, options) if name in CALLS else f"there is no {name} here: {WRITE}"
    except (TypeError, ValueError, LookupError, ArithmeticError):  # other arguments than the tool's own
        return WRITE


OURS = {"choice", "uniform", "log_uniform", "int", "when"}
"""Keys of a parameter of a space, which mean the same in some other tools."""

OF_A_RANGE = {"distribution", "value", "values", "min", "max", "low", "high", "mu", "sigma", "q", "step", "log", "type"}
"""Keys of a parameter of a W&B sweep, and of a range in other tools."""

WRITE = (
    "write {choice: [...]}, {uniform: [low, high]}, {log_uniform: [low, high]} or {int: [low, high]}; uniform and int "
    "with step: 2 beside it, int with log: true"
)

Call = tuple[str, list[Any], dict[str, Any]]
"""Name of a distribution, its arguments, and those by keyword."""


def _from_text(text: str) -> Call | None:
    """Return what `tune.uniform(0.1, 0.5)` or `trial.suggest_int("x", 1, 9)` calls; None for any other text."""
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        if not isinstance(tree, ast.Call):
            return None
        name = tree.func.attr if isinstance(tree.func, ast.Attribute) else getattr(tree.func, "id", "")
        arguments = [ast.literal_eval(part) for part in tree.args]
        return name, arguments, {part.arg or "": ast.literal_eval(part.value) for part in tree.keywords}
    except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):
        return None


def _from_mapping(value: Any, *, is_whole: bool) -> Call | None:
    """Return the distribution that a mapping stands for; None if it has a key of this package, or none of theirs.

    Without its name, whole numbers as ends stand for whole numbers, as in W&B sweeps.
    """
    if not isinstance(value, Mapping) or value.keys() & OURS:
        return None
    if (named := value.keys() & CALLS.keys()) and value.keys().isdisjoint(OF_A_RANGE):
        name = min(named)
        given = value[name]
        return name, [given] if CALLS[name] is _choice or not isinstance(given, list) else given, {}
    if value.keys().isdisjoint(OF_A_RANGE):
        return None
    if "values" in value:
        return "choice", [value["values"]], {}
    if "value" in value:
        return "constant", [value["value"]], {}
    ends = [value.get("min", value.get("low")), value.get("max", value.get("high"))]
    distribution = value.get("distribution")
    if distribution is None:
        step = value.get("step", value.get("q"))
        are_whole = is_whole or value.get("type") == "int" or all(isinstance(end, int) for end in (*ends, step or 1))
        options = {"log": value.get("log", False), "step": step}
        return ("suggest_int" if are_whole else "suggest_float"), ["", *ends], options
    name = OF_WANDB.get(str(distribution), str(distribution))
    return name, [*ends, value.get("q", 1)] if name.startswith("q") else ends, {}


def _choice(arguments: list[Any], options: dict[str, Any]) -> str:
    values = arguments[-1] if arguments else options["choices"]
    return f"write {{choice: [{', '.join(map(shown, list(values)))}]}}"


def _constant(arguments: list[Any], options: dict[str, Any]) -> str:
    return f"a value that all trials share is set in base; got {shown(arguments[0])}"


def _uniform(arguments: list[Any], options: dict[str, Any]) -> str:
    return _range("uniform", *arguments)


def _log_uniform(arguments: list[Any], options: dict[str, Any]) -> str:
    return _range("log_uniform", *arguments)


def _log_uniform_of_exponents(arguments: list[Any], options: dict[str, Any]) -> str:
    low, high = (float(f"{math.exp(end):.3g}") for end in arguments)
    return f"{_range('log_uniform', low, high)}: the ends themselves, not their natural logarithms"


def _int(arguments: list[Any], options: dict[str, Any]) -> str:
    return _range("int", *arguments)


def _int_below(arguments: list[Any], options: dict[str, Any]) -> str:
    low, high = arguments if len(arguments) > 1 else (0, *arguments)
    return f"{_range('int', low, high - 1)}: randint leaves out its upper end"


def _log_int_below(arguments: list[Any], options: dict[str, Any]) -> str:
    low, high, *_ = arguments
    return f"{_log_int(low, high - 1)}: lograndint leaves out its upper end"


def _multiples(arguments: list[Any], options: dict[str, Any]) -> str:
    """Describe a range whose numbers are rounded to multiples of the last argument."""
    low, high, q = _with_q(arguments, options)
    if all(isinstance(number, int) for number in (low, high, q)):
        return _range("int", q * round(low / q), q * round(high / q), q)
    first, last = (float(round(end / q) * Decimal(repr(q))) for end in (low, high))
    return _range("uniform", first, last, q)


def _multiples_within(arguments: list[Any], options: dict[str, Any]) -> str:
    """Describe the multiples of the last argument that lie in a range of whole numbers."""
    low, high, q = _with_q(arguments, options)
    if q == 1:
        return f"{_range('int', low, high - 1)}: qrandint leaves out its upper end if q is 1"
    return _range("int", -(-low // q) * q, high, q)


def _log_multiples(arguments: list[Any], options: dict[str, Any]) -> str:
    low, high, q = _with_q(arguments, options)
    is_whole = isinstance(low, int) and isinstance(high, int)
    without = _log_int(low, high) if is_whole else _range("log_uniform", low, high)
    return without if q == 1 else f"{without}: a logarithmic range has no step here. Or list the values as a choice"


def _with_q(arguments: list[Any], options: dict[str, Any]) -> tuple[Any, Any, Any]:
    low, high, q = [*arguments, options.get("q", 1)][:3]
    return low, high, q


def _suggest_float(arguments: list[Any], options: dict[str, Any]) -> str:
    low, high = _suggested_ends(arguments, options)
    if options.get("log"):
        return _range("log_uniform", low, high)
    return _range("uniform", low, high, options.get("step"))


def _suggest_int(arguments: list[Any], options: dict[str, Any]) -> str:
    low, high = _suggested_ends(arguments, options)
    return _log_int(low, high) if options.get("log") else _range("int", low, high, options.get("step"))


def _suggested_ends(arguments: list[Any], options: dict[str, Any]) -> tuple[Any, Any]:
    _, low, high, *_ = [*arguments, *(options[name] for name in ("low", "high") if name in options)]
    return low, high


def _log_int(low: Any, high: Any) -> str:
    return _range("int", low, high).replace("]}", "], log: true}")


def _range(kind: str, low: Any, high: Any, step: Any = None) -> str:
    """Describe a range; with a step its end is the last number that steps lead to, as other tools have it."""
    if not all(isinstance(number, int | float) for number in (low, high, step or 0)):
        raise TypeError("an end or a step is no number")
    if step is None or (kind == "int" and step == 1):
        return f"write {{{kind}: [{shown(low)}, {shown(high)}]}}"
    first, each = Decimal(repr(low)), Decimal(repr(step))
    last = first + (Decimal(repr(high)) - first) // each * each
    end = shown(int(last) if kind == "int" else float(last))
    return f"write {{{kind}: [{shown(low)}, {end}], step: {shown(step)}}}"


OF_WANDB = {"log_uniform": "log_uniform of exponents", "categorical": "choice"}
"""Distributions of W&B sweeps whose names mean something else here, or nothing."""

CALLS: Mapping[str, Callable[[list[Any], dict[str, Any]], str]] = {
    "choice": _choice,
    "categorical": _choice,
    "grid_search": _choice,
    "suggest_categorical": _choice,
    "constant": _constant,
    "uniform": _uniform,
    "loguniform": _log_uniform,
    "log_uniform": _log_uniform,
    "log_uniform_values": _log_uniform,
    "log_uniform of exponents": _log_uniform_of_exponents,
    "int_uniform": _int,
    "randint": _int_below,
    "q_uniform": _multiples,
    "quniform": _multiples,
    "q_log_uniform_values": _log_multiples,
    "qloguniform": _log_multiples,
    "qlograndint": _log_multiples,
    "qrandint": _multiples_within,
    "lograndint": _log_int_below,
    "suggest_float": _suggest_float,
    "suggest_int": _suggest_int,
}
"""Distribution of another tool -> function(arguments, those by keyword) to how it is written here."""
