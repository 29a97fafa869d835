"""Rung tables of real directors' trials, and Kendall's tau against scipy's."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sleep_tune.experiment.search_state import MAIN
from sleep_tune.search.monitor.rung_table import ENOUGH, LOW, agreement, concordance, rung_table
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Choice, Finalists, Parameter, Scheduler, Search, Stop, Uniform
from tests.search.studies import BUDGET, WORKER, open_search, study

FEW = st.integers(0, 4).map(float)


@given(st.lists(st.tuples(FEW, FEW), min_size=2, max_size=30))
def test_concordance_is_scipys_tau_b_with_and_without_ties(values: list[tuple[float, float]]) -> None:
    surplus, possible = concordance(values)
    expected = stats.kendalltau(*zip(*values, strict=True)).statistic
    if math.isnan(expected):
        assert possible == 0
    else:
        assert surplus / possible == pytest.approx(expected)


def test_agreement_counts_those_that_reached_both_with_finite_values() -> None:
    first = {"a": 1.0, "b": 2.0, "c": math.nan, "d": 4.0, "e": 5.0}
    second = {"a": 10.0, "b": 30.0, "c": 1.0, "e": 20.0}
    agreed = agreement(first, second)
    assert agreed is not None
    assert agreed.trials == 3
    assert agreed.tau == pytest.approx(1 / 3)
    assert agreement({"a": 1.0}, {"a": 2.0}) is None
    assert agreement({"a": 1.0, "b": 1.0}, {"a": 2.0, "b": 3.0}) is None


def test_groups_are_pooled_without_comparing_across_them() -> None:
    """Within each group the order is reversed; across groups it agrees, which says nothing of the rung."""
    first = {"a1": 1.0, "a2": 2.0, "b1": 11.0, "b2": 12.0, "alone": 50.0}
    second = {"a1": 2.0, "a2": 1.0, "b1": 12.0, "b2": 11.0, "alone": 50.0}
    groups = {"a1": "a", "a2": "a", "b1": "b", "b2": "b", "alone": "c"}
    pooled = agreement(first, second, groups)
    assert pooled is not None
    assert (pooled.tau, pooled.trials) == (-1.0, 4)
    mixed = agreement(first, second)
    assert mixed is not None
    assert mixed.tau > 0


def test_a_warning_needs_trials_and_a_bound_that_is_low() -> None:
    rng = np.random.default_rng(0)
    orders = {n: (rng.permutation(n).astype(float), rng.permutation(n).astype(float)) for n in (ENOUGH - 1, 200)}
    for size, (one, other) in orders.items():
        agreed = agreement(_named(one), _named(other))
        assert agreed is not None
        assert agreed.is_enough == (size >= ENOUGH)
        assert agreed.is_low == (size == 200)
    same = agreement(_named(orders[200][0]), _named(orders[200][0]))
    assert same is not None
    assert not same.is_low
    assert same.upper == 1.0


def test_the_bound_on_tau_allows_for_the_selected_sample() -> None:
    """Orders that agree at tau 0.5 agree at about LOW among the best third; that must not be called no agreement."""
    rng = np.random.default_rng(1)
    correlation = math.sin(math.pi / 2 * 0.5)  # of normals whose tau is 0.5
    rung = rng.standard_normal(3000)
    end = correlation * rung + math.sqrt(1 - correlation**2) * rng.standard_normal(3000)
    everyone = agreement(_named(rung), _named(end))
    kept = np.argsort(rung)[:1000]
    selected = agreement(_named(rung[kept]), _named(end[kept]))
    assert everyone is not None
    assert selected is not None
    assert everyone.tau == pytest.approx(0.5, abs=0.03)
    assert selected.tau == pytest.approx(LOW, abs=0.03)
    assert not selected.is_low


def _named(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> dict[str, float]:
    return {str(name): float(value) for name, value in enumerate(values)}


def test_a_whole_search_is_counted_at_each_rung(tmp_path: Path) -> None:
    space = study(
        stop=Stop(trials=20), search=Search(algorithm="random"), scheduler=Scheduler(first_rung=0.1, reduction=3)
    )
    with_director = open_search(tmp_path / "small", space)
    run_inline(with_director, WORKER)
    with_director.close()
    trials = with_director.trials.values()
    table = rung_table(trials, "min")
    searched = [trial for trial in trials if trial.study == MAIN]
    assert [rung.words for rung in table] == [BUDGET // 9, BUDGET // 3, BUDGET]
    assert [rung.share for rung in table] == pytest.approx([1 / 9, 1 / 3, 1.0], abs=1e-5)
    first, second, end = table
    assert first.arrived == first.went_on + first.stopped > second.arrived
    assert second.arrived == second.went_on + second.stopped
    assert end.arrived == sum(trial.state == "completed" and trial.repeats is None for trial in searched)
    best = with_director.best()
    assert best is not None
    assert end.best == best.value
    assert first.next is not None
    assert first.next.trials == second.arrived
    assert second.next is None
    values = [trial.rungs[first.words] for trial in searched if first.words in trial.rungs]
    assert first.best == min(value for value in values if math.isfinite(value))


def test_the_mode_and_within_are_heeded(tmp_path: Path) -> None:
    parameters = (Parameter("sleep.length.passes", Choice((1, 2))), Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)))
    space = study(
        parameters=parameters,
        baselines={},
        finalists=Finalists(count=0, seeds=1),
        search=Search(algorithm="random"),
        stop=Stop(trials=24),
        scheduler=Scheduler(first_rung=0.3, reduction=2, within="sleep.length.passes"),
    )
    director = open_search(tmp_path / "small", space)
    run_inline(director, WORKER)
    director.close()
    rung, end = rung_table(director.trials.values(), "max")
    completed = [trial for trial in director.trials.values() if trial.state == "completed"]
    assert {trial.group for trial in completed} == {"1", "2"}
    assert end.best == max(trial.value for trial in completed if trial.value is not None)
    assert rung.end is not None
    assert rung.end.trials == end.arrived == len(completed)


def test_there_is_no_table_before_a_rung(tmp_path: Path) -> None:
    assert rung_table([], "min") == []
    director = open_search(tmp_path / "small", study(scheduler=Scheduler(name="none")))
    run_inline(director, WORKER)
    director.close()
    assert rung_table(director.trials.values(), "min") == []
