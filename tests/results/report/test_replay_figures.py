"""Figures of what was replayed: shares that add up, BabyLM's limit, ages and scores in panels of their own."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from sleep_tune.results.report.replay_figures import (
    LEAST,
    plot_ages,
    plot_exposures,
    plot_source_ratios,
    plot_sources,
)
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
    bars = [sum(shares) for shares in zip(*(trace["y"] for trace in mix["data"]), strict=True)]
    assert bars == pytest.approx([1] * 11)  # the corpus, nine sleeps, and all of them
    assert mix["data"][0]["x"][0] == "corpus"
    older = plot_sources(replace(training_log, corpus={}))
    assert older is not None
    assert len(older["data"][0]["x"]) == 10
    assert "shapes" not in seen["layout"]  # nothing was seen more than ten times


def test_all_that_was_replayed_counts_each_sleep_by_its_words(training_log: TrainingLog) -> None:
    sources = pd.DataFrame({"tales": [0.2, 0.8], "talk": [0.8, 0.2]})
    log = replace(training_log, sources=sources, sleeps=pd.DataFrame({"cycle": [0, 1], "words": [300, 100]}))
    assert log.replayed.to_dict() == pytest.approx({"tales": 0.35, "talk": 0.65})
    balance = replace(log, corpus={"talk": 0.3, "tales": 0.6, "songs": 0.1}).source_balance
    assert balance["ratio"].to_dict() == pytest.approx({"tales": 0.35 / 0.6, "talk": 0.65 / 0.3, "songs": 0.0})
    assert list(balance.index) == ["tales", "talk", "songs"]  # the largest of the corpus first


def test_ratios_have_a_marker_for_each_arm_and_source_and_never_is_at_the_edge(training_log: TrainingLog) -> None:
    older = replace(training_log, corpus={})
    figure = plot_source_ratios({"t": training_log, "old": older, "u": training_log}, {"t": "<b>t</b> folds 5"})
    assert figure is not None
    assert [trace["name"] for trace in figure["data"]] == ["<b>t</b> folds 5", "u"]
    assert figure["layout"]["yaxis"]["ticktext"] == ["tales", "talk", "songs"]
    first, second = (trace["x"] for trace in figure["data"])
    assert first == second == pytest.approx([1.5, 0.625, LEAST])
    assert figure["data"][0]["y"] != figure["data"][1]["y"]
    assert "75.0% of the replay, 50.0% of the corpus" in figure["data"][0]["text"][0]
    assert plot_source_ratios({"old": older}) is None


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
