"""Rank correlations: scipy's numbers, unordered choices as 0 and 1, and who counts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.stats import spearmanr

from sleep_tune.results.parameter_correlations import (
    FEWEST_TRIALS,
    Correlation,
    correlate_parameters,
    tabulate_correlations,
)


def correlate(objective: np.ndarray, **columns: object) -> list[Correlation]:
    table = pd.DataFrame(columns)
    return correlate_parameters(table, list(table.columns), pd.Series(objective))


def few_or_many(size: int) -> st.SearchStrategy[np.ndarray]:
    return arrays.arrays(np.float64, size, elements=st.integers(0, 5) | st.floats(-1e3, 1e3))


@settings(max_examples=30)
@given(st.integers(FEWEST_TRIALS, 30).flatmap(lambda size: st.tuples(few_or_many(size), few_or_many(size))))
def test_it_is_scipys_spearman_with_and_without_ties(pair: tuple[np.ndarray, np.ndarray]) -> None:
    parameter, objective = pair
    found = correlate(objective, folds=parameter)
    if len(set(parameter)) < 2 or len(set(objective)) < 2:
        assert found == []
        return
    assert found[0].rho == pytest.approx(spearmanr(parameter, objective).statistic, abs=1e-12)
    assert -1 <= found[0].low <= found[0].high <= 1


def test_the_interval_is_that_of_a_bootstrap_with_scipy_on_each_sample() -> None:
    rng = np.random.default_rng(3)
    parameter = rng.choice([1.0, 2.0, 4.0, 8.0], 40)
    objective = parameter + rng.normal(0, 3, 40)
    (found,) = correlate(objective, folds=parameter)
    drawn = [rng.integers(40, size=40) for _ in range(2000)]
    low, high = np.percentile([spearmanr(parameter[at], objective[at]).statistic for at in drawn], [2.5, 97.5])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.04)
    assert found == correlate(objective, folds=parameter)[0]


def test_a_choice_without_an_order_has_a_row_for_each_value_and_a_pair_of_values_one() -> None:
    objective = np.arange(12.0)
    strategy = ["strict"] * 4 + ["random"] * 4 + ["weighted"] * 4
    found = {(one.key, one.value): one.rho for one in correlate(objective, strategy=strategy, keep=[True, False] * 6)}
    assert set(found) == {("strategy", "strict"), ("strategy", "random"), ("strategy", "weighted"), ("keep", "True")}
    is_strict = [value == "strict" for value in strategy]
    assert found["strategy", "strict"] == pytest.approx(spearmanr(is_strict, objective).statistic)
    assert found["strategy", "random"] == pytest.approx(0)


def test_only_trials_with_the_parameter_and_a_value_at_the_end_count() -> None:
    rng = np.random.default_rng(0)
    objective, ratio, decay = rng.normal(size=(3, 30))
    objective[20:] = np.nan
    decay[:5] = np.nan
    found = {one.key: one for one in correlate(objective, ratio=ratio, decay=decay, same=[3.0] * 30)}
    assert {key: one.trials for key, one in found.items()} == {"ratio": 20, "decay": 15}
    assert found["decay"].rho == pytest.approx(spearmanr(decay[5:20], objective[5:20]).statistic)
    assert correlate(objective[:7], ratio=ratio[:7]) == []


def test_the_strongest_comes_first_whatever_its_sign_and_the_table_has_all() -> None:
    objective = np.arange(20.0)
    noise = np.random.default_rng(1).normal(size=20)
    found = correlate(objective, noise=noise, falls=-objective, rises=objective + noise)
    assert [one.key for one in found] == ["falls", "rises", "noise"]
    assert found[0].rho == pytest.approx(-1)
    table = tabulate_correlations(found)
    assert table["spearman"].tolist() == [one.rho for one in found]
    assert list(table.columns) == ["parameter", "value", "spearman", "low", "high", "trials"]
