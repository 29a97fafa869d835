"""The current space of a search, and the points of it that settings of trials are.

A search may be resumed under another space than the one in which its trials were asked for. A trial fits the current
space if its whole configuration is the base with some setting of the current parameters: the configuration's value of
each active parameter lies in its domain, and every other option has the base's value.
"""

from collections.abc import Mapping
from typing import Any

from sleep_tune.config.options import options
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import Tree, flatten, to_dict
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.domains import contains
from sleep_tune.search.space.search_space import (
    Choice,
    Domain,
    Int,
    LogUniform,
    Parameter,
    Space,
    Uniform,
    active,
)
from sleep_tune.search.space.trial_configs import baseline_settings, with_settings

__all__ = ["CurrentSpace", "Point", "match_point", "project"]

Point = dict[str, Value]
"""Values of all active parameters, in the space's order."""


def project(parameters: tuple[Parameter, ...], base: Tree, config: Mapping[str, Any]) -> Point | None:
    """Return the point of `parameters` that turns `base` into `config`; None if there is none.

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


def match_point(parameters: tuple[Parameter, ...], settings: Mapping[str, Value]) -> Point | None:
    """Return `settings` as a point if they have exactly the active parameters, each with a value in its domain.

    It is what `project` would return, without making a configuration. None does not mean that they do not fit.
    """
    point: Point = {}
    for parameter in parameters:
        if active(parameter, point):
            if parameter.key not in settings or not contains(parameter.domain, settings[parameter.key]):
                return None
            point[parameter.key] = _own(parameter.domain, settings[parameter.key])
    return point if len(point) == len(settings) else None


class CurrentSpace:
    """Placement of trials in the current space (`search_state.Placement`).

    Args:
        space: the current space.
        base: the configuration that `space.base` composes to.
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
        """Return the point that `settings` over the study's base are; None if they do not fit the current space."""
        if study not in self._studies:
            return None
        parameters, base = self._studies[study]
        point = match_point(parameters, settings)
        return point if point is not None else project(parameters, base, flatten(with_settings(base, settings)))

    def group(self, point: Mapping[str, Value]) -> str:
        """Return the group of a point: trials are compared at rungs within a group."""
        return str(point.get(self._within or "", ""))


def _values(parameter: Parameter, value: Any) -> list[Value]:
    """Return the domain's value that equals the option's `value`: a list of one, or empty."""
    domain, option = parameter.domain, options()[parameter.key]
    if isinstance(domain, Choice):
        return [own for own in domain.values if option.check(own) == value][:1]
    if isinstance(domain, Int) and isinstance(value, float) and value.is_integer():
        value = int(value)
    return [_own(domain, value)] if contains(domain, value) else []


def _own(domain: Domain, value: Any) -> Value:
    """Return `value`, which the domain contains, in the type that a sampler proposes."""
    match domain:
        case Choice(values):
            return next(own for own in values if own == value and isinstance(own, bool) == isinstance(value, bool))
        case Uniform() | LogUniform():
            return float(value)
        case Int():
            return int(value)
