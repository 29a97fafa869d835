"""A search space as JSON, as the event log and experiment.yaml hold it, and parts of it read back."""

from collections.abc import Callable, Mapping
from typing import Any

from sleep_tune.search.space.search_space import (
    Arm,
    Choice,
    Domain,
    Finalists,
    Int,
    LogUniform,
    Parameter,
    Space,
    Uniform,
)

__all__ = ["arm_from_json", "finalists_from_json", "parameters_from_json", "to_json"]


def to_json(space: Space) -> dict[str, Any]:
    """Return the space as plain dictionaries, as its YAML file would hold them."""
    return {
        "name": space.name,
        "base": dict(space.base),
        "objective": vars(space.objective),
        "parameters": {parameter.key: _parameter_to_json(parameter) for parameter in space.parameters},
        "search": vars(space.search),
        "scheduler": vars(space.scheduler),
        "stop": vars(space.stop),
        "baselines": {
            name: {"trials": baseline.trials, "parameters": list(baseline.parameters)}
            | ({} if baseline.like is None else {"like": baseline.like})  # experiments may be older than this option
            for name, baseline in space.baselines.items()
        },
        "arms": {name: _arm_to_json(arm) for name, arm in space.arms.items()},
        "finalists": vars(space.finalists)
        | {"seeds": _seeds_to_json(space.finalists)}
        | {"rungs": list(space.finalists.rungs)},
        "comparison": vars(space.comparison),
        "resources": vars(space.resources),
        "enqueue": [dict(point) for point in space.enqueue],
        "warm_start": list(space.warm_start),
    }


def _seeds_to_json(finalists: Finalists) -> int | dict[str, list[int]]:
    return {"looks": list(finalists.seeds)} if isinstance(finalists.seeds, tuple) else finalists.seeds


def _arm_to_json(arm: Arm) -> dict[str, Any]:
    named = {"like": arm.like, "matched": arm.matched}
    return {key: value for key, value in named.items() if value is not None} | dict(arm.settings)


def _parameter_to_json(parameter: Parameter) -> dict[str, Any]:
    match parameter.domain:
        case Choice(values):
            plain: dict[str, Any] = {"choice": list(values)}
        case Uniform(low, high, step):
            plain = {"uniform": [low, high]} | ({} if step is None else {"step": step})
        case LogUniform(low, high):
            plain = {"log_uniform": [low, high]}
        case Int(low, high, step, log):
            plain = {"int": [low, high]} | ({"step": step} if step != 1 else {}) | ({"log": True} if log else {})
    if parameter.when:
        plain["when"] = {key: list(values) for key, values in parameter.when.items()}
    return plain


def parameters_from_json(plain_parameters: Mapping[str, Mapping[str, Any]]) -> tuple[Parameter, ...]:
    """Return the parameters of a space, from its JSON (`to_json`)."""
    kinds: dict[str, Callable[..., Domain]] = {"uniform": Uniform, "log_uniform": LogUniform, "int": Int}
    parameters = []
    for key, plain in plain_parameters.items():
        when = {other: tuple(values) for other, values in plain.get("when", {}).items()}
        domain: Domain
        if "choice" in plain:
            domain = Choice(tuple(plain["choice"]))
        else:
            (kind,) = plain.keys() & kinds.keys()
            domain = kinds[kind](*plain[kind], **{name: plain[name] for name in ("step", "log") if name in plain})
        parameters.append(Parameter(key, domain, when))
    return tuple(parameters)


def finalists_from_json(plain: Mapping[str, Any]) -> Finalists:
    """Return the finalists of a space, from its JSON (`to_json`); options of other versions are ignored."""
    known = {key: plain[key] for key in ("count", "seeds", "first_seed", "rungs") if key in plain}
    seeds, rungs = known.get("seeds"), known.get("rungs")
    if isinstance(seeds, Mapping):
        known["seeds"] = tuple(seeds["looks"])
    if rungs is not None:
        known["rungs"] = tuple(rungs)
    return Finalists(**known)


def arm_from_json(plain: Mapping[str, Any]) -> Arm:
    """Return an arm of a space, from its JSON (`to_json`)."""
    named = {key: value for key, value in plain.items() if key in ("like", "matched")}
    return Arm(**named, settings={key: value for key, value in plain.items() if key not in named})
