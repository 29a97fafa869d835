import math

import numpy as np

from sleep_tune.simulation.landscape import best_settings
from sleep_tune.simulation.points import Settings, draw
from tests.simulation.spaces import PARAMETERS, flat


def bowl(settings: Settings) -> float:
    """Best at strategy weighted, decay 0.4, learning rate 1e-3."""
    rate, decay = settings["training.learning_rate"], settings.get("sleep.replay.decay", 0.0)
    assert isinstance(rate, float)
    assert isinstance(decay, float)
    return abs(math.log10(rate) + 3) + abs(decay - 0.4) + (settings["sleep.replay.strategy"] != "weighted")


def test_the_best_settings_are_found_across_what_is_conditional() -> None:
    best = best_settings(flat(bowl))
    assert best["sleep.replay.strategy"] == "weighted"
    assert bowl(best) < 0.02
    assert best == best_settings(flat(bowl))


def test_no_random_setting_is_better() -> None:
    best = bowl(best_settings(flat(bowl)))
    rng = np.random.default_rng(1)
    assert all(bowl(draw(PARAMETERS, rng)) >= best for _ in range(500))
