"""The different settings of parameters, that is combinations of their values: listed and counted."""

from collections.abc import Iterable, Iterator
from math import prod

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.domains import num_values, value_of_index
from sleep_tune.search.space.search_space import Choice, Domain, Parameter, active

__all__ = ["list_settings", "most_trials", "num_settings"]


def list_settings(parameters: tuple[Parameter, ...], corners: bool = False) -> Iterator[dict[str, Value]]:
    """Yield every different combination of the parameters' values; those of the last parameter change fastest.

    Args:
        parameters: in an order in which those that a `when` names come first.
        corners: whether only the two ends of a range are values of it.

    Raises:
        ValueError: a range of real numbers without a step, and without `corners`.
    """
    yield from _extend({}, parameters, corners)


def _extend(chosen: dict[str, Value], parameters: tuple[Parameter, ...], corners: bool) -> Iterator[dict[str, Value]]:
    """Yield every way to add values of these parameters to those that are chosen."""
    if not parameters:
        yield chosen
    elif active(parameters[0], chosen):
        for value in _values(parameters[0].domain, corners):
            yield from _extend(chosen | {parameters[0].key: value}, parameters[1:], corners)
    else:
        yield from _extend(chosen, parameters[1:], corners)


def _values(domain: Domain, corners: bool) -> Iterable[Value]:
    if corners and not isinstance(domain, Choice):
        return (domain.low, domain.high)
    number = num_values(domain)
    if number is None:
        raise ValueError("a range of real numbers cannot be listed")
    return (value_of_index(domain, index) for index in range(number))


def num_settings(parameters: tuple[Parameter, ...]) -> int | None:
    """Return how many different settings there are; None if any number of them, or no parameter.

    Only parameters that a `when` names are listed: each setting of these has the product of the others' values.
    """
    numbers = {parameter.key: num_values(parameter.domain) for parameter in parameters}
    if not parameters or None in numbers.values():
        return None
    named = {key for parameter in parameters for key in parameter.when}
    others = [parameter for parameter in parameters if parameter.key not in named]
    return sum(
        prod(numbers[parameter.key] or 0 for parameter in others if active(parameter, chosen))
        for chosen in list_settings(tuple(parameter for parameter in parameters if parameter.key in named))
    )


def most_trials(parameters: tuple[Parameter, ...], limit: int | None) -> int | None:
    """Return the largest number of trials of a study: its limit, or the number of settings if that is smaller."""
    return min((number for number in (limit, num_settings(parameters)) if number is not None), default=None)
