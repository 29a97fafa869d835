"""Points of a search space: random draws, coordinates in a unit cube, and distances.

Source of the distance: Gower, "A General Coefficient of Similarity and Some of Its Properties" (Biometrics 1971).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.domains import value_at
from sleep_tune.search.space.search_space import Choice, Domain, Int, LogUniform, Parameter, Uniform, active

__all__ = ["Settings", "coordinates", "distances", "draw", "is_ordered"]

Settings = Mapping[str, Value]
"""Values of the active parameters."""


def draw(parameters: Sequence[Parameter], rng: np.random.Generator, given: Settings | None = None) -> dict[str, Value]:
    """Return random settings: uniform over each domain, or over its logarithm for a logarithmic one.

    Args:
        parameters: in an order in which those that `when` names come first.
        rng: one draw for each parameter that is active and not given.
        given: values to keep if their parameters are active.
    """
    settings: dict[str, Value] = {}
    for parameter in parameters:
        if active(parameter, settings):
            if given is not None and parameter.key in given:
                settings[parameter.key] = given[parameter.key]
            else:
                settings[parameter.key] = value_at(parameter.domain, rng.random())
    return settings


def is_ordered(domain: Domain) -> bool:
    """Return whether the domain's values are ordered: all but a choice among names."""
    return not isinstance(domain, Choice) or all(type(value) in (int, float) for value in domain.values)


def coordinates(parameters: Sequence[Parameter], settings: Settings) -> NDArray[np.float64]:
    """Return one number for each parameter, (parameters,); NaN if it is not active.

    Ordered domains are mapped to [0, 1]: a choice among numbers by rank, a logarithmic range by its logarithm. For a
    choice among names the number is the index.
    """
    return np.array(
        [
            _coordinate(parameter.domain, settings[parameter.key]) if parameter.key in settings else np.nan
            for parameter in parameters
        ]
    )


def distances(
    parameters: Sequence[Parameter], points: NDArray[np.float64], point: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return Gower's distance in [0, 1], (n,), of each of `points` (n, parameters) from `point` (parameters,).

    It is the mean over parameters of their difference. Names, and a parameter that is active in only one of the two,
    count 0 or 1.
    """
    ordered = np.array([is_ordered(parameter.domain) for parameter in parameters])
    apart = np.abs(points - point)
    apart[:, ~ordered] = apart[:, ~ordered] > 0
    inactive, here = np.isnan(points), np.isnan(point)
    apart[inactive != here] = 1.0
    apart[inactive & here] = 0.0
    return np.asarray(apart.mean(axis=1))


def _coordinate(domain: Domain, value: Value) -> float:
    match domain:
        case Choice(values) if is_ordered(domain):
            return sorted(values, key=_number).index(value) / max(1, len(values) - 1)
        case Choice(values):
            return float(values.index(value))
        case LogUniform(low, high) | Int(low, high, _, True):
            return float(np.log(_number(value) / low) / np.log(high / low)) if high > low else 0.0
        case Int(low, high) | Uniform(low, high):
            return (_number(value) - low) / (high - low) if high > low else 0.0


def _number(value: Value) -> float:
    assert isinstance(value, int | float), value
    return float(value)
