"""Conditional power: against the predictive distribution of the seeds to come, and what it stops."""

import math

import numpy as np
import pytest
import scipy.stats

from sleep_tune.statistics.conditional_power import conditional_power
from sleep_tune.statistics.group_sequential import planned_law
from sleep_tune.statistics.schedule import Schedule

PLANNED = Schedule((5, 8, 12))
FIRST = np.array([0.9, 0.1, 1.2, -0.3, 0.7])


def test_it_is_the_share_of_futures_that_decide() -> None:
    """With one more look, of 4 seeds, whose predictive distribution is a multivariate t."""
    schedule = Schedule((5, 9))
    law = planned_law((5, 9), schedule.increments)
    shape = FIRST.var(ddof=1) * (np.eye(4) + 1 / 5)
    future = scipy.stats.multivariate_t(np.full(4, FIRST.mean()), shape, df=4, seed=1).rvs(20_000)
    values = np.concatenate([np.tile(FIRST, (20_000, 1)), future], axis=1)
    p_values = np.asarray(scipy.stats.ttest_1samp(values, 0, axis=1).pvalue)
    expected = np.mean(p_values < law.nominal(1, schedule.level))
    assert conditional_power(FIRST, (1,) * 5, schedule, 1) == pytest.approx(expected, abs=0.04)


def test_it_falls_with_the_tests_of_the_family_and_is_0_after_the_last_look() -> None:
    power = [conditional_power(FIRST, (1,) * 5, PLANNED, 1, tests=tests) for tests in (1, 2, 4)]
    assert power == sorted(power, reverse=True)
    assert 0 < power[-1] < power[0] < 1
    values = np.random.default_rng(0).normal(1.0, 1.0, 12)
    assert conditional_power(values, (1,) * 5 + (2,) * 3 + (3,) * 4, PLANNED, 3) == 0.0


def test_nothing_is_futile_before_scatter_is_known() -> None:
    for values in ([1.0], [0.5, 0.5, 0.5]):
        assert conditional_power(values, (1,) * len(values), PLANNED, 1) == 1.0
    assert conditional_power(FIRST, (1,) * 5, PLANNED, 0) == 1.0


def test_arms_that_may_be_shown_equal_are_not_futile() -> None:
    nothing = np.array([0.1, -0.1, 0.05, -0.05, 0.02])
    assert conditional_power(nothing, (1,) * 5, PLANNED, 1) < 0.1
    assert conditional_power(nothing, (1,) * 5, PLANNED, 1, margin=0.3) > 0.9
    assert conditional_power(np.array([*nothing, -math.inf]), (1,) * 6, PLANNED, 1, margin=0.3) < 0.1


def test_a_diverged_seed_that_no_later_look_can_make_up_for_is_futile() -> None:
    outcomes = [-math.inf, 1.0, 1.1, 0.9, 1.05]
    assert conditional_power(outcomes, (1,) * 5, PLANNED, 1) == 0.0
    assert conditional_power(outcomes, (1,) * 5, Schedule((5, 20)), 1) > 0.9
