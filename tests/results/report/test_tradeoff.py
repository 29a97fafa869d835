"""The Pareto front: nobody on it is beaten, everybody off it is or is the equal of one on it; and its figure."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.results.experiment import describe
from sleep_tune.results.report.building import write_report
from sleep_tune.results.report.points import SearchPoints, search_points
from sleep_tune.results.report.tradeoff import further_measures, pareto_front, tradeoff
from sleep_tune.results.trial_tables import read_events, trials_and_curves
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import RUNGS
from tests.results.report.test_building import text_of

NUMBERS = st.one_of(st.integers(-3, 3).map(float), st.floats(-1e6, 1e6))


def beats(a: np.ndarray, b: np.ndarray) -> bool:
    return bool((a <= b).all() and (a < b).any())


@given(st.lists(st.tuples(NUMBERS, NUMBERS), max_size=30))
def test_nobody_on_the_front_is_beaten_and_everybody_else_is_or_is_an_equal(
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


def a_search(log: SyntheticLog, **more: list[float]) -> SearchPoints:
    log.open(parameters={"sleep.folds": {}})
    for number, nll in enumerate((4.0, 3.0, 2.0, 2.5), 1):
        name = f"t{number:04d}"
        log.ask(name, parameters={"sleep.folds": number})
        measured = {"nll": nll} | {key: values[number - 1] for key, values in more.items()}
        log.rung(name, RUNGS[0], decision="stop", **measured)  # type: ignore[arg-type]
        log.event("stopped", name, 1, reason="not among the best", outcome=None)
    return search_points(*trials_and_curves(read_events(log.folder)), describe(log.folder))


def test_the_front_takes_low_losses_and_high_accuracies(log: SyntheticLog) -> None:
    points = a_search(log, pairs_accuracy=[0.9, 0.8, 0.6, 0.5])
    assert further_measures(points, "eval/nll") == ["eval/pairs_accuracy"]
    figure = tradeoff(points, "eval/nll", "min", "eval/pairs_accuracy", points.first)
    assert figure is not None
    front, stopped = figure["data"]
    assert front["x"] == [2.0, 3.0, 4.0]
    assert front["y"] == [0.6, 0.8, 0.9]
    assert stopped["marker"]["symbol"] == "circle-open"
    assert stopped["text"][0] == "t0001: folds 1<br>eval/nll 4.0000, eval/pairs_accuracy 0.9000"
    assert figure["layout"]["yaxis"]["title"]["text"] == "eval/pairs_accuracy (share right)"
    assert "The dashed line joins the trials that no other beats at both" in text_of(write_report(log.folder))


@pytest.mark.parametrize("more", [{}, {"pairs_ties": [0.0, 0.1, 0.2, 0.3]}])
def test_without_another_measure_there_is_no_figure(log: SyntheticLog, more: dict[str, list[float]]) -> None:
    points = a_search(log, **more)
    assert further_measures(points, "eval/nll") == []
    assert "Pareto" not in text_of(write_report(log.folder))


def test_trials_that_lack_one_of_the_two_are_left_out(tmp_path: Path) -> None:
    points = a_search(SyntheticLog(tmp_path / "replay"), pairs_accuracy=[0.9, float("nan"), float("nan"), 0.5])
    assert tradeoff(points, "eval/nll", "min", "eval/pairs_accuracy", points.first) is None
