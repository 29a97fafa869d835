import numpy as np

from sleep_tune.simulation.noise import generator, normal


def test_it_is_a_function_of_settings_seed_and_share() -> None:
    settings = {"b": 1, "a": 0.5}
    value = normal(settings, 3, 0.5)
    assert value == normal({"a": 0.5, "b": 1}, 3, 0.5)
    assert len({value, normal(settings, 4, 0.5), normal(settings, 3, 0.6), normal({"a": 0.5, "b": 2}, 3, 0.5)}) == 4
    assert generator(settings, 3).random() == generator(settings, 3).random()


def test_it_is_standard_normal() -> None:
    values = [normal({"a": 1}, seed) for seed in range(2_000)]
    assert abs(np.mean(values)) < 0.07
    assert abs(np.std(values) - 1) < 0.05
