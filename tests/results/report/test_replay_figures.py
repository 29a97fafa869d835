"""Figures of what was replayed: shares that add up, BabyLM's limit, ages and scores in panels of their own."""

from dataclasses import replace
from pathlib import Path

import pytest

from sleep_tune.results.report.replay_figures import plot_ages, plot_exposures, plot_sources
from sleep_tune.results.report.training_logs import TrainingLog, read_training_log
from tests.results.report.searches import write_training_log


@pytest.fixture
def training_log(tmp_path: Path) -> TrainingLog:
    write_training_log(tmp_path / "t", 9)
    read = read_training_log(tmp_path / "t")
    assert read is not None
    return read


def test_shares_of_samples_and_of_sources_add_up(training_log: TrainingLog) -> None:
    seen, mix = plot_exposures({"t": training_log}, {"t": "<b>t</b> folds 5"}), plot_sources(training_log)
    assert seen is not None
    assert mix is not None
    assert seen["data"][0]["name"] == "<b>t</b> folds 5"
    assert sum(seen["data"][0]["y"]) == pytest.approx(1)
    assert [sum(shares) for shares in zip(*(trace["y"] for trace in mix["data"]), strict=True)] == pytest.approx(
        [1] * 9
    )
    assert "shapes" not in seen["layout"]  # nothing was seen more than ten times


def test_babylms_limit_is_drawn_where_it_is_passed(training_log: TrainingLog) -> None:
    often = replace(training_log, exposures=(0,) * 12 + (5,))
    seen = plot_exposures({"t": often})
    assert seen is not None
    assert seen["layout"]["shapes"][0]["x0"] == 10.5
    assert seen["data"][0]["x"][-1] == "12+"


def test_ages_and_scores_have_a_panel_each(training_log: TrainingLog) -> None:
    figure = plot_ages(training_log)
    assert figure is not None
    assert [trace["yaxis"] for trace in figure["data"]] == ["y", "y2"]
    assert figure["data"][0]["y"] == training_log.sleeps["mean_age"].tolist()
