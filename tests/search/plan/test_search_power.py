"""How much better a setting must be to be picked."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.search.plan.search_power import found_share, search_power, smallest_found
from sleep_tune.search.space.search_space import Scheduler
from tests.benchmarks.bench_search_power import is_picked


@pytest.mark.parametrize(("trials", "picked", "advantage"), [(2, 1, 0.7), (24, 1, 1.9), (24, 3, 1.2), (64, 5, 0.0)])
def test_the_closed_form_is_what_draws_give(trials: int, picked: int, advantage: float) -> None:
    results = np.random.default_rng(0).normal(size=(20_000, trials))
    ahead = (results[:, 1:] > results[:, :1] + advantage).sum(axis=1)
    assert found_share(advantage, trials, picked) == pytest.approx((ahead < picked).mean(), abs=0.01)


@given(st.integers(1, 10_000), st.integers(1, 50))
def test_an_equal_setting_is_picked_as_often_as_any(trials: int, picked: int) -> None:
    assert found_share(0.0, trials, picked) == pytest.approx(min(1.0, picked / trials))


@given(st.integers(1, 100_000), st.integers(1, 20), st.sampled_from([0.5, 0.8]))
def test_the_smallest_advantage_is_found_as_often_as_asked(trials: int, picked: int, share: float) -> None:
    advantage = smallest_found(trials, picked, share)
    if advantage > 0:
        assert found_share(advantage, trials, picked) == pytest.approx(share)
    else:
        assert picked / trials >= share
    assert advantage <= smallest_found(trials + 10, picked, share) + 1e-9


def test_two_settings_need_nothing_and_a_million_are_found() -> None:
    assert smallest_found(2) == pytest.approx(0.0, abs=1e-6)
    assert 4 < smallest_found(1_000_000) < 6


def test_a_search_of_fewer_trials_than_finalists_picks_all() -> None:
    power = search_power(2, 3, None)
    assert (power.finalists, power.as_finalist) == (2, 0.0)
    assert search_power(10, 0, None).as_finalist == 0.0


def test_simulated_searches_pick_it_as_often() -> None:
    """The real director over a grid of 12 settings, 60 searches; more in tests/benchmarks/bench_search_power.txt."""
    advantage = smallest_found(12, 2, 0.8)
    found = [is_picked(12, 2, advantage, seed, Scheduler(name="none"), 0.0) for seed in range(60)]
    assert sum(found) == pytest.approx(48, abs=10)
