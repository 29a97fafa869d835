"""Importance: the parameter that decides the objective comes first, with an interval above all others."""

import numpy as np
import pandas as pd
import pytest

from sleep_tune.results.report.importance import FEWEST_TRIALS, estimate_importance

KEYS = ["sleep.folds", "sleep.replay.ratio", "sleep.replay.decay"]


def table(trials: int) -> tuple[pd.DataFrame, "pd.Series[float]"]:
    rng = np.random.default_rng(0)
    ratio, folds = rng.uniform(0, 1, trials), rng.choice([5, 10, 20], trials)
    decay = pd.Series(rng.uniform(0, 1, trials)).where(rng.random(trials) < 0.5)
    values = pd.Series((ratio - 0.2) ** 2 + rng.normal(0, 0.01, trials))
    return pd.DataFrame({KEYS[0]: folds, KEYS[1]: ratio, KEYS[2]: decay}), values


def test_what_decides_comes_first() -> None:
    trials, values = table(150)
    first, *others = estimate_importance(trials, KEYS, values, "min")
    assert first.key == "sleep.replay.ratio"
    assert first.share > 0.7
    assert first.low > max(other.share for other in others)
    assert sum(one.share for one in (first, *others)) == pytest.approx(1)
    assert all(one.low <= one.high for one in (first, *others))


def test_a_conditional_parameter_counts_where_it_was_searched() -> None:
    trials, values = table(60)
    found = {one.key: one.trials for one in estimate_importance(trials, KEYS, values, "min")}
    assert found["sleep.replay.decay"] == int(trials["sleep.replay.decay"].notna().sum()) < 60


def test_too_few_trials_or_one_value_say_nothing() -> None:
    trials, values = table(FEWEST_TRIALS - 1)
    assert estimate_importance(trials, KEYS, values, "min") == []
    trials, values = table(40)
    same = trials.assign(**{key: 1 for key in KEYS})
    assert estimate_importance(same, KEYS, values, "min") == []


def test_it_is_the_same_each_time() -> None:
    trials, values = table(40)
    assert estimate_importance(trials, KEYS, values, "max") == estimate_importance(trials, KEYS, values, "max")
