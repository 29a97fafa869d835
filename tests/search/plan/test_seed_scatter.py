"""The scatter over seeds is read from earlier experiments."""

from pathlib import Path

import numpy as np
import pytest

from sleep_tune.errors import ConfigError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.search_state import fold_events
from sleep_tune.search.plan.seed_scatter import find_scatter, pooled_deviation, read_scatter
from sleep_tune.search.space.search_space import Arm, Finalists, Stop
from tests.messages import raises_naming
from tests.search.studies import plain, search, study

METRIC = "eval/nll"


def test_the_deviation_is_the_residual_of_arms_and_seeds() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 6)) + rng.normal(size=(4, 1)) + 5 * rng.normal(size=6)
    residuals = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    expected = np.sqrt((residuals**2).sum() / (3 * 5))
    assert pooled_deviation([dict(enumerate(arm)) for arm in values]) == pytest.approx(expected)


def test_seeds_that_an_arm_lost_are_left_out() -> None:
    rng = np.random.default_rng(0)
    arms = [{seed: rng.normal(0, 0.1) + 3 * seed for seed in range(200) if rng.random() < 0.8} for _ in range(3)]
    assert pooled_deviation(arms) == pytest.approx(0.1, rel=0.1)


def test_the_deviation_of_one_arm_is_its_own() -> None:
    assert pooled_deviation([{1: 2.0, 2: 4.0, 3: 6.0}]) == pytest.approx(2.0)
    assert pooled_deviation([{1: 2.0, 2: 4.0}, {3: 7.0, 4: 7.0}]) == pytest.approx(1.0)


def test_it_is_read_from_a_log(tmp_path: Path) -> None:
    """Of baselines, finalists and arms, but not of controls."""
    arms = {"fixed": Arm(settings={"sleep.folds": 7}), "control": Arm(matched="fixed")}
    search(tmp_path / "small", study(arms=arms, finalists=Finalists(count=2, seeds=3)))
    scatter = read_scatter(tmp_path / "small")
    runs = fold_events(read_events(tmp_path / "small" / LOG)).trials.values()
    values: dict[str, dict[int, float]] = {}
    for run in runs:
        if not run.study and run.matched is None:
            assert run.value is not None
            values.setdefault(run.arm, {})[run.seed] = run.value
    assert scatter is not None
    assert (scatter.arms, scatter.runs, scatter.source) == (5, 15, tmp_path / "small")
    assert scatter.deviation == pooled_deviation(list(values.values()))


def test_the_given_experiment_counts_before_others(tmp_path: Path) -> None:
    search(tmp_path / "a")
    search(tmp_path / "b")
    folders = [tmp_path / "new", tmp_path / "a", tmp_path / "b"]
    found = [find_scatter(earlier, folders, METRIC) for earlier in (None, tmp_path / "b")]
    assert [scatter.source.name for scatter in found if scatter is not None] == ["a", "b"]
    assert find_scatter(None, folders[:1], METRIC) is None


def test_an_experiment_that_shows_no_scatter_is_refused(tmp_path: Path) -> None:
    with raises_naming(ConfigError, "--from", "nowhere"):
        find_scatter(tmp_path / "nowhere", [], METRIC)
    search(tmp_path / "bare", plain(stop=Stop(trials=1)))
    with raises_naming(ConfigError, "--from", "bare"):
        find_scatter(tmp_path / "bare", [], METRIC)
    with raises_naming(ConfigError, "--from", METRIC, "eval/perplexity", "bare"):
        find_scatter(tmp_path / "bare", [], "eval/perplexity")
    assert find_scatter(None, [tmp_path / "bare"], METRIC) is None
