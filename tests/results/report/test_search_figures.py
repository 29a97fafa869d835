"""The search's figures: one share of the budget in a panel, settings at every point, bins that keep their places."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sleep_tune.results.experiment import describe
from sleep_tune.results.report.parameter_figures import heat_map, slices
from sleep_tune.results.report.points import SearchPoints, search_points
from sleep_tune.results.report.search_figures import CROWD, history, parallel, rungs
from sleep_tune.results.trial_tables import read_events, trials_and_curves
from tests.results.report.searches import make_search


@pytest.fixture
def points(tmp_path: Path) -> SearchPoints:
    folder = make_search(tmp_path / "replay", 30).folder
    return search_points(*trials_and_curves(read_events(folder)), describe(folder))


def test_every_point_tells_its_trials_settings(points: SearchPoints) -> None:
    row = points.trials.iloc[2]
    told = f"t0003: folds {row['sleep.folds']:.4g}, ratio {row['sleep.replay.ratio']:.4g}, "
    assert row["told"] == told + f"strategy {row['sleep.replay.strategy']}"
    figure = slices(points.early, points.parameters, "eval/nll")
    assert figure is not None
    assert all(text.startswith("t00") for trace in figure["data"] for text in trace["text"])


def test_the_end_and_the_first_rung_have_a_panel_each(points: SearchPoints) -> None:
    figure = history(points, "eval/nll", "min", {"epochs, mean over seeds": 4.2})
    assert figure is not None
    ends = {(trace["name"], trace["yaxis"]) for trace in figure["data"] if trace["mode"] == "markers"}
    assert ends == {("completed", "y"), ("completed", "y2"), ("stopped", "y2")}
    best = next(trace["y"] for trace in figure["data"] if trace["name"] == "best so far")
    assert best == sorted(best, reverse=True)
    done = points.trials[points.trials["state"] == "completed"]
    assert best[-1] == done["value"].min()
    level = next(trace for trace in figure["data"] if trace["name"] == "epochs, mean over seeds")
    assert level["y"] == [4.2, 4.2]


def test_where_more_is_better_the_best_so_far_rises(points: SearchPoints) -> None:
    figure = history(points, "eval/nll", "max")
    assert figure is not None
    best = next(trace["y"] for trace in figure["data"] if trace["name"] == "best so far")
    done = points.trials.loc[points.trials["state"] == "completed", "value"]
    assert best == [*done.cummax(), done.max()]


def test_rungs_join_a_trials_values_and_no_two_trials(points: SearchPoints) -> None:
    figure = rungs(points.rungs, "eval/nll")
    assert figure is not None
    stopped, whole = figure["data"]
    assert stopped["line"]["dash"] == "dot"
    assert whole["x"][2::3] == [None] * (len(whole["x"]) // 3)
    assert set(stopped["x"][1::2]) == {None}
    assert rungs(points.rungs[points.rungs["share"] == 1], "eval/nll") is None


def test_a_crowd_of_trials_is_drawn_fainter() -> None:
    trials = [f"t{number}" for number in range(CROWD + 1) for _ in range(2)]
    table = pd.DataFrame({"trial": trials, "share": [0.5, 1.0] * (CROWD + 1), "value": 1.0})
    crowd, few = rungs(table, "eval/nll"), rungs(table[: 2 * CROWD], "eval/nll")
    assert crowd is not None
    assert few is not None
    assert crowd["data"][0]["opacity"] < few["data"][0]["opacity"] == 1


def test_parallel_axes_compare_trials_at_the_first_rung(points: SearchPoints) -> None:
    figure = parallel(points, "eval/nll", "min")
    assert figure is not None
    labels = [one["label"] for one in figure["data"][0]["dimensions"]]
    assert labels == ["folds", "ratio", "strategy", "eval/nll at 33%", "budget reached"]
    folds, *_, value, _ = figure["data"][0]["dimensions"]
    assert folds["tickvals"] == [5, 10, 20]
    assert value["values"] == points.early["value"].dropna().tolist()


def test_a_heat_map_keeps_empty_parts_of_a_range_and_counts_every_trial() -> None:
    ratio = np.concatenate([np.linspace(0, 0.2, 10), np.linspace(0.8, 1, 10)])
    table = pd.DataFrame({"a.ratio": ratio, "a.folds": [5, 10] * 10, "value": ratio})
    figure = heat_map(table, "a.ratio", "a.folds", "eval/nll", "min")
    assert figure is not None
    trace = figure["data"][0]
    assert trace["x"] == ["0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1"]
    assert trace["y"] == ["5", "10"]
    assert [row[1] for row in trace["z"]] == [None, None]
    counts = [int(cell.partition("n=")[2]) for row in trace["text"] for cell in row if cell]
    assert sum(counts) == 20
