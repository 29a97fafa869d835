"""The search's figures: one share of the budget per panel, settings at every point, the Pareto front, heat maps."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from sleep_tune.experiment.experiment_file import describe_experiment
from sleep_tune.results.parameter_correlations import Correlation, correlate_search
from sleep_tune.results.report.figure_style import value_ticks
from sleep_tune.results.report.parameter_figures import plot_correlations, plot_heat_map, plot_slices
from sleep_tune.results.report.search_figures import (
    CROWD,
    further_metrics,
    pareto_front,
    plot_history,
    plot_parallel,
    plot_rungs,
    plot_tradeoff,
)
from sleep_tune.results.report.search_tables import SearchTables, make_search_tables
from sleep_tune.results.trial_tables import read_curves, read_trials
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import RUNGS, make_search

NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))


@pytest.fixture
def search(tmp_path: Path) -> SearchTables:
    folder = make_search(tmp_path / "replay", 30).folder
    return make_search_tables(read_trials(folder), read_curves(folder), describe_experiment(folder))


def test_every_point_shows_its_trials_settings(search: SearchTables) -> None:
    row = search.trials.iloc[2]
    label = f"t0003: folds {row['sleep.folds']:.4g}, ratio {row['sleep.replay.ratio']:.4g}, "
    assert row["label"] == label + f"strategy {row['sleep.replay.strategy']}"
    figure = plot_slices(search.first_rung, search.parameters, "eval/nll")
    assert figure is not None
    assert all(text.startswith("t00") for trace in figure["data"] for text in trace["text"])


def test_the_end_and_the_first_rung_have_a_panel_each(search: SearchTables) -> None:
    figure = plot_history(search, "eval/nll", "min", {"epochs, mean over seeds": 4.2})
    assert figure is not None
    ends = {(trace["name"], trace["yaxis"]) for trace in figure["data"] if trace["mode"] == "markers"}
    assert ends == {("completed", "y"), ("completed", "y2"), ("stopped", "y2")}
    best = next(trace["y"] for trace in figure["data"] if trace["name"] == "best so far")
    assert best == sorted(best, reverse=True)
    done = search.trials[search.trials["state"] == "completed"]
    assert best[-1] == done["value"].min()
    level = next(trace for trace in figure["data"] if trace["name"] == "epochs, mean over seeds")
    assert level["y"] == [4.2, 4.2]


def test_where_more_is_better_the_best_so_far_rises(search: SearchTables) -> None:
    figure = plot_history(search, "eval/nll", "max")
    assert figure is not None
    best = next(trace["y"] for trace in figure["data"] if trace["name"] == "best so far")
    done = search.trials.loc[search.trials["state"] == "completed", "value"]
    assert best == [*done.cummax(), done.max()]


def test_rungs_join_a_trials_values_and_no_two_trials(search: SearchTables) -> None:
    figure = plot_rungs(search.rungs, "eval/nll")
    assert figure is not None
    stopped, whole = figure["data"]
    assert stopped["line"]["dash"] == "dot"
    assert whole["x"][2::3] == [None] * (len(whole["x"]) // 3)
    assert set(stopped["x"][1::2]) == {None}
    assert plot_rungs(search.rungs[search.rungs["share"] == 1], "eval/nll") is None


def test_a_crowd_of_trials_is_drawn_fainter() -> None:
    trials = [f"t{number}" for number in range(CROWD + 1) for _ in range(2)]
    table = pd.DataFrame({"trial": trials, "share": [0.5, 1.0] * (CROWD + 1), "value": 1.0})
    crowd, few = plot_rungs(table, "eval/nll"), plot_rungs(table[: 2 * CROWD], "eval/nll")
    assert crowd is not None
    assert few is not None
    assert crowd["data"][0]["opacity"] < few["data"][0]["opacity"] == 1


def test_parallel_axes_compare_trials_at_the_first_rung(search: SearchTables) -> None:
    figure = plot_parallel(search, "eval/nll", "min")
    assert figure is not None
    labels = [one["label"] for one in figure["data"][0]["dimensions"]]
    assert labels == ["folds", "ratio", "strategy", "eval/nll at 33%", "budget reached"]
    folds, *_, value, _ = figure["data"][0]["dimensions"]
    assert folds["tickvals"] == [5, 10, 20]
    assert value["values"] == search.first_rung["value"].dropna().tolist()


def test_a_heat_map_keeps_empty_parts_of_a_range_and_counts_every_trial() -> None:
    ratio = np.concatenate([np.linspace(0, 0.2, 10), np.linspace(0.8, 1, 10)])
    table = pd.DataFrame({"a.ratio": ratio, "a.folds": [5, 10] * 10, "value": ratio})
    figure = plot_heat_map(table, "a.ratio", "a.folds", "eval/nll", "min")
    assert figure is not None
    trace = figure["data"][0]
    assert trace["x"] == ["0 to 0.25", "0.25 to 0.5", "0.5 to 0.75", "0.75 to 1"]
    assert trace["y"] == ["5", "10"]
    assert [row[1] for row in trace["z"]] == [None, None]
    counts = [int(cell.partition("n=")[2]) for row in trace["text"] for cell in row if cell]
    assert sum(counts) == 20


def beats(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30))
def test_no_point_on_the_front_is_beaten_and_every_other_is_or_is_an_equal(
    given_points: list[tuple[float, float]],
) -> None:
    points = np.array(given_points).reshape(-1, 2)
    front = pareto_front(points)
    assert len({*front.tolist()}) == len(front)
    for at, point in enumerate(points):
        if at in front:
            assert not any(beats(other, point) for other in points)
        else:
            assert any(beats(points[other], point) or (points[other] == point).all() for other in front)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_along_the_front_one_value_rises_and_the_other_falls(given_points: list[tuple[float, float]]) -> None:
    points = np.array(given_points)
    first, second = points[pareto_front(points)].T
    assert (np.diff(first) > 0).all()
    assert (np.diff(second) < 0).all()


def a_search(log: SyntheticLog, **more: list[float]) -> SearchTables:
    log.open(parameters={"sleep.folds": {}})
    for number, nll in enumerate((4.0, 3.0, 2.0, 2.5), 1):
        name = f"t{number:04d}"
        log.ask(name, parameters={"sleep.folds": number})
        measured = {"nll": nll} | {key: values[number - 1] for key, values in more.items()}
        log.rung(name, RUNGS[0], decision="stop", **measured)  # type: ignore[arg-type]
        log.event("stopped", name, 1, reason="not among the best", outcome=None)
    return make_search_tables(read_trials(log.folder), read_curves(log.folder), describe_experiment(log.folder))


def test_the_front_takes_low_losses_and_high_accuracies(log: SyntheticLog) -> None:
    search = a_search(log, pairs_accuracy=[0.9, 0.8, 0.6, 0.5])
    assert further_metrics(search, "eval/nll") == ["eval/pairs_accuracy"]
    figure = plot_tradeoff(search, "eval/nll", "min", "eval/pairs_accuracy", search.first_share)
    assert figure is not None
    front, stopped = figure["data"]
    assert front["x"] == [2.0, 3.0, 4.0]
    assert front["y"] == [0.6, 0.8, 0.9]
    assert stopped["marker"]["symbol"] == "circle-open"
    assert stopped["text"][0] == "t0001: folds 1<br>eval/nll 4.0000, eval/pairs_accuracy 0.9000"
    assert figure["layout"]["yaxis"]["title"]["text"] == "eval/pairs_accuracy (share right)"


@pytest.mark.parametrize("more", [{}, {"pairs_ties": [0.0, 0.1, 0.2, 0.3]}])
def test_without_another_measure_there_is_no_figure(log: SyntheticLog, more: dict[str, list[float]]) -> None:
    search = a_search(log, **more)
    assert further_metrics(search, "eval/nll") == []


def test_trials_that_lack_one_of_the_two_are_left_out(tmp_path: Path) -> None:
    search = a_search(SyntheticLog(tmp_path / "replay"), pairs_accuracy=[0.9, float("nan"), float("nan"), 0.5])
    assert plot_tradeoff(search, "eval/nll", "min", "eval/pairs_accuracy", search.first_share) is None


def test_a_correlation_is_filled_where_its_interval_leaves_out_0() -> None:
    found = [
        Correlation("sleep.folds", None, -0.7, -0.9, -0.4, 20),
        Correlation("sleep.replay.strategy", "strict", 0.2, -0.1, 0.5, 20),
    ]
    figure = plot_correlations(found)
    assert figure is not None
    (dots,) = figure["data"]
    assert figure["layout"]["yaxis"]["ticktext"] == ["folds", "strategy = strict"]
    assert dots["marker"]["symbol"] == ["circle", "circle-open"]
    assert dots["error_x"]["array"] == pytest.approx([0.3, 0.3])
    assert plot_correlations([]) is None


def test_stopped_trials_do_not_count_in_a_searchs_correlations(tmp_path: Path) -> None:
    folder = make_search(tmp_path / "replay", 40).folder
    trials = read_trials(folder)
    completed = trials[(trials["state"] == "completed") & (trials["role"] == "search")]
    found = {(one.key, one.value): one for one in correlate_search(trials, describe_experiment(folder))}
    assert {one.trials for one in found.values()} == {len(completed)}
    assert len(completed) < 20
    expected = spearmanr(completed["sleep.folds"].astype(float), completed["eval/nll"]).statistic
    assert found["sleep.folds", None].rho == pytest.approx(expected)
    assert correlate_search(trials.drop(columns="eval/nll"), describe_experiment(folder)) == []


def test_values_have_ticks_of_their_own_where_they_are_few_and_come_again() -> None:
    """A range of which few values were tried would have long numbers over each other."""
    choice, tried = pd.Series([5, 20, 5, 10]), pd.Series([0.00459, 0.00112, 0.00023])
    assert value_ticks(choice) == {"tickvals": [5, 10, 20], "ticktext": ["5", "10", "20"]}
    assert value_ticks(pd.Series([0.1, np.nan, 0.1])) == {"tickvals": [0.1], "ticktext": ["0.1"]}
    assert value_ticks(tried) == value_ticks(pd.Series([*range(20), *range(20)])) == {}
