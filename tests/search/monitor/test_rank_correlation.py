"""Kendall's tau against scipy's, pooled over groups, and its bound."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sleep_tune.search.monitor.rank_correlation import ENOUGH, LOW, concordance, rank_correlation

FEW = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(FEW, FEW), min_size=2, max_size=30))
def test_concordance_is_scipys_tau_b_with_and_without_ties(values: list[tuple[float, float]]) -> None:
    surplus, possible = concordance(values)
    expected = stats.kendalltau(*zip(*values, strict=True)).statistic
    if math.isnan(expected):
        assert possible == 0
    else:
        assert surplus / possible == pytest.approx(expected)


def test_it_counts_those_that_reached_both_with_finite_values() -> None:
    first = {"a": 1.0, "b": 2.0, "c": math.nan, "d": 4.0, "e": 5.0}
    second = {"a": 10.0, "b": 30.0, "c": 1.0, "e": 20.0}
    found = rank_correlation(first, second)
    assert found is not None
    assert found.trials == 3
    assert found.tau == pytest.approx(1 / 3)
    assert rank_correlation({"a": 1.0}, {"a": 2.0}) is None
    assert rank_correlation({"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 3.0}) is None


def test_groups_are_pooled_without_comparing_across_them() -> None:
    """Within each group the order is reversed; across groups it agrees, which says nothing of the rung."""
    first = {"a1": 1.0, "a2": 2.0, "b1": 11.0, "b2": 12.0, "alone": 50.0}
    second = {"a1": 2.0, "a2": 1.0, "b1": 12.0, "b2": 11.0, "alone": 50.0}
    groups = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "alone": "c"}
    pooled = rank_correlation(first, second, groups)
    assert pooled is not None
    assert (pooled.tau, pooled.trials) == (-1.0, 4)
    mixed = rank_correlation(first, second)
    assert mixed is not None
    assert mixed.tau > 0


def test_a_warning_needs_trials_and_a_bound_that_is_low() -> None:
    rng = np.random.default_rng(0)
    orders = {n: (rng.permutation(n).astype(float), rng.permutation(n).astype(float)) for n in (ENOUGH - 1, 200)}
    for size, (one, other) in orders.items():
        found = rank_correlation(_named(one), _named(other))
        assert found is not None
        assert found.is_enough == (size >= ENOUGH)
        assert found.is_low == (size == 200)
    same = rank_correlation(_named(orders[200][0]), _named(orders[200][0]))
    assert same is not None
    assert not same.is_low
    assert same.upper == 1.0


def test_the_bound_on_tau_allows_for_the_selected_sample() -> None:
    """Orders that agree at tau 0.5 agree at about LOW among the best third; that must not be called no agreement."""
    rng = np.random.default_rng(1)
    correlation = math.sin(math.pi / 2 * 0.5)  # of normals whose tau is 0.5
    rung = rng.standard_normal(3000)
    end = correlation * rung + math.sqrt(1 - correlation**2) * rng.standard_normal(3000)
    everyone = rank_correlation(_named(rung), _named(end))
    kept = np.argsort(rung)[:1000]
    selected = rank_correlation(_named(rung[kept]), _named(end[kept]))
    assert everyone is not None
    assert selected is not None
    assert everyone.tau == pytest.approx(0.5, abs=0.03)
    assert selected.tau == pytest.approx(LOW, abs=0.03)
    assert not selected.is_low


def _named(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> dict[str, float]:
    return {str(name): float(value) for name, value in enumerate(values)}
