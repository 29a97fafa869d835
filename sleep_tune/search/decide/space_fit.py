"""What a trial's settings are called in the present space, if they lie in it at all. Pure; knows no logs or samplers.

A search may go on under another space than the one in which its trials were asked for. A trial fits the present one
if its whole configuration is the base with some setting of the present parameters: each active parameter's value is
read off the configuration and lies in its domain, and every other option is the base's.
"""

from collections.abc import Mapping
from typing import Any

from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import Tree, flatten, to_dict
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.search_space import (
    Choice,
    Domain,
    Int,
    LogUniform,
    Parameter,
    Space,
    Uniform,
    active,
    contains,
)
from sleep_tune.search.space.trial_configs import baseline_settings, with_settings

__all__ = ["Point", "Present", "as_asked", "project"]

Point = dict[str, Value]
"""A setting of the present parameters: every active one, in the space's order."""


def project(parameters: tuple[Parameter, ...], base: Tree, config: Mapping[str, Any]) -> Point | None:
    """The setting of `parameters` that makes `config` of `base`; None if there is none.

    Args:
        parameters: in an order in which those that `when` names come first.
        base: nested (`config.tree.to_dict`).
        config: every option by dotted key (`config.tree.flatten`).
    """
    point: Point = {}
    for parameter in parameters:
        if active(parameter, point):
            values = _values(parameter, config[parameter.key])
            if not values:
                return None
            point[parameter.key] = values[0]
    return point if flatten(with_settings(base, point)) == config else None


def as_asked(parameters: tuple[Parameter, ...], settings: Mapping[str, Value]) -> Point | None:
    """`settings` if they are a setting of `parameters` as they stand, as those asked for under the same space are.

    What `project` says of them, without making a configuration; None does not mean that they do not fit.
    """
    point: Point = {}
    for parameter in parameters:
        if active(parameter, point):
            if parameter.key not in settings or not contains(parameter.domain, settings[parameter.key]):
                return None
            point[parameter.key] = _own(parameter.domain, settings[parameter.key])
    return point if len(point) == len(settings) else None


class Present:
    """The space as it is now, for trials that were asked for whenever.

    Args:
        space: the study.
        base: what `space.base` composes to.
    """

    def __init__(self, space: Space, base: RunConfig) -> None:
        tree = to_dict(base)
        self._within = space.scheduler.within
        self._studies: dict[str, tuple[tuple[Parameter, ...], Tree]] = {MAIN: (space.parameters, tree)}
        for name, baseline in space.baselines.items():
            if baseline.trials is not None:
                parameters = space.subset(baseline.parameters)
                self._studies[name] = (parameters, with_settings(tree, baseline_settings(name)))

    def point(self, study: str, settings: Mapping[str, Value]) -> Point | None:
        """What `settings`, over the study's base, are in the present space; None if they do not fit it."""
        if study not in self._studies:
            return None
        parameters, base = self._studies[study]
        point = as_asked(parameters, settings)
        return point if point is not None else project(parameters, base, flatten(with_settings(base, settings)))

    def group(self, point: Mapping[str, Value]) -> str:
        """With which trials this one is compared at rungs."""
        return str(point.get(self._within or "", ""))


def _values(parameter: Parameter, value: Any) -> list[Value]:
    """The domain's values that the option would take as `value`: one, or none."""
    domain, option = parameter.domain, options()[parameter.key]
    if isinstance(domain, Choice):
        return [own for own in domain.values if option.check(own) == value][:1]
    if isinstance(domain, Int) and isinstance(value, float) and value.is_integer():
        value = int(value)
    return [_own(domain, value)] if contains(domain, value) else []


def _own(domain: Domain, value: Any) -> Value:
    """`value`, which the domain contains, as the domain itself would propose it."""
    match domain:
        case Choice(values):
            return next(own for own in values if own == value and isinstance(own, bool) == isinstance(value, bool))
        case Uniform() | LogUniform():
            return float(value)
        case Int():
            return int(value)
