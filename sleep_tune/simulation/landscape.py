"""A search space whose truth is known: what every setting is worth at the end, and which is best.

Knows neither where the curves come from nor who searches them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sleep_tune.experiment.trial_state import Value
from sleep_tune.search.space.search_space import Parameter
from sleep_tune.simulation.points import Settings, draw

__all__ = ["Landscape", "best_settings"]

DRAWS, STARTS, ALTERNATIVES = 2_000, 5, 16
"""Of the search for the best settings: random ones, of these the starts of a climb, and values tried in one step."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """A loss over settings and shares of the budget; lower is better."""

    name: str
    parameters: tuple[Parameter, ...]
    truth: Callable[[Settings], float]
    """Settings -> the loss at the end of the budget, without noise."""
    curve: Callable[[Settings, int, float], float]
    """(settings, seed, share of the budget) -> the loss that such a run reports there; always the same."""
    first_share: float = 0.0
    """Below this share of the budget nothing is known."""
    notes: tuple[str, ...] = field(default=())
    """What a reader of its results should know."""


def best_settings(landscape: Landscape) -> dict[str, Value]:
    """The best settings, as far as many random ones and climbs from the best of these find: the same at every call."""
    rng = np.random.default_rng(0)
    drawn = [draw(landscape.parameters, rng) for _ in range(DRAWS)]
    starts = sorted(drawn, key=landscape.truth)[:STARTS]
    return min((_climb(landscape, start, rng) for start in starts), key=landscape.truth)


def _climb(landscape: Landscape, start: dict[str, Value], rng: np.random.Generator) -> dict[str, Value]:
    """Change one parameter at a time while that helps."""
    best, value = start, landscape.truth(start)
    while True:
        before = value
        for settings in _neighbours(landscape.parameters, best, rng):
            if (found := landscape.truth(settings)) < value:
                best, value = settings, found
        if before - value < 1e-4:
            return best


def _neighbours(
    parameters: Sequence[Parameter], settings: dict[str, Value], rng: np.random.Generator
) -> Iterator[dict[str, Value]]:
    for parameter in parameters:
        kept = {key: value for key, value in settings.items() if key != parameter.key}
        for _ in range(ALTERNATIVES):
            yield draw(parameters, rng, kept)
