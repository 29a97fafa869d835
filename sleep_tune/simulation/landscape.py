"""Landscapes: search spaces with known learning curves, so that the best settings are known."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from sleep_tune.experiment.trial_state import Value, configuration_key
from sleep_tune.search.space.search_space import Parameter
from sleep_tune.simulation.points import Settings, draw

__all__ = ["Landscape", "best_settings", "run_generator", "run_noise"]

DRAWS, STARTS, ALTERNATIVES = 2_000, 5, 16
"""Numbers of the search for the best settings: random draws, starts of a climb, values tried in one step."""


@dataclass(frozen=True, slots=True)
class Landscape:
    """A loss over settings and shares of the budget; lower is better."""

    name: str
    parameters: tuple[Parameter, ...]
    truth: Callable[[Settings], float]
    """Settings -> loss at the end of the budget, without noise."""
    curve: Callable[[Settings, int, float], float]
    """(settings, seed, share of the budget) -> loss that such a run reports there; deterministic."""
    first_share: float = 0.0
    """Share of the budget at which the curves begin."""
    notes: tuple[str, ...] = field(default=())
    """Notes for the reader of results."""


def best_settings(landscape: Landscape) -> dict[str, Value]:
    """Return the best settings that random draws and climbs from the best of them find; deterministic."""
    rng = np.random.default_rng(0)
    drawn = [draw(landscape.parameters, rng) for _ in range(DRAWS)]
    starts = sorted(drawn, key=landscape.truth)[:STARTS]
    return min((_climb(landscape, start, rng) for start in starts), key=landscape.truth)


def _climb(landscape: Landscape, start: dict[str, Value], rng: np.random.Generator) -> dict[str, Value]:
    """Change one parameter at a time as long as the loss falls."""
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


def run_generator(settings: Settings, seed: int, share: float = 0.0) -> np.random.Generator:
    """Return a generator that depends only on settings, seed and share, on any machine."""
    digest = hashlib.sha256(f"{configuration_key(settings)} {seed} {share:.9f}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))


def run_noise(settings: Settings, seed: int, share: float = 0.0) -> float:
    """Return a standard normal number that depends only on settings, seed and share."""
    return float(run_generator(settings, seed, share).standard_normal())
