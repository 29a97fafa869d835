import numpy as np

from sleep_tune.simulation.landscape import run_generator, run_noise


def test_it_is_a_function_of_settings_seed_and_share() -> None:
    settings = {"b": 1, "a": 0.5}
    value = run_noise(settings, 3, 0.5)
    assert value == run_noise({"a": 0.5, "b": 1}, 3, 0.5)
    others = [run_noise(settings, 4, 0.5), run_noise(settings, 3, 0.6), run_noise({"a": 0.5, "b": 2}, 3, 0.5)]
    assert len({value, *others}) == 4
    assert run_generator(settings, 3).random() == run_generator(settings, 3).random()


def test_it_is_standard_normal() -> None:
    values = [run_noise({"a": 1}, seed) for seed in range(2_000)]
    assert abs(np.mean(values)) < 0.07
    assert abs(np.std(values) - 1) < 0.05
