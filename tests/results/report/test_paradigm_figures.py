"""The figure of paradigms: a row each, from the largest difference down, with a menu that shows another arm."""

from dataclasses import replace
from pathlib import Path

import pytest

from sleep_tune.results.comparison import compare
from sleep_tune.results.paradigms import ParadigmDifference, compare_paradigms
from sleep_tune.results.report.paradigm_figures import MARKS, plot_paradigms
from sleep_tune.statistics.fixed_sample import Difference
from tests.results.report.searches import make_search

NAMES = [f"paradigm_{number}" for number in range(67)]


def row(name: str, mean: float, p: float | None, *, at_chance: bool = False) -> ParadigmDifference:
    return ParadigmDifference(
        endpoint="test/pairs_accuracy",
        arm="t0001",
        paradigm=name,
        items=50,
        score=0.7 + mean,
        baseline_score=0.7,
        chance=0.5,
        at_chance=at_chance,
        difference=Difference(mean, mean - 0.1, mean + 0.2, p, 5),
        p_holm=p,
    )


def test_every_paradigm_has_a_row_and_the_menu_shows_one_arm_with_its_own_order(tmp_path: Path) -> None:
    rows = compare_paradigms(compare(make_search(tmp_path / "replay", 8, paradigms=NAMES).folder))
    figure = plot_paradigms(rows, "epochs")
    assert figure is not None
    assert [trace["visible"] for trace in figure["data"]] == [True, False]
    first, second = figure["layout"]["updatemenus"][0]["buttons"]
    assert (first["label"], second["label"]) == ("t0003", "as_epochs")
    assert second["args"][0]["visible"] == [False, True]
    for at, button in enumerate((first, second)):
        title, *labels = (note["text"] for note in button["args"][1]["annotations"])
        assert button["label"] in title
        own = [one for one in rows if one.arm == button["label"]]
        assert len(labels) == len(figure["data"][at]["x"]) == 67
        assert all(label.startswith(one.paradigm) for label, one in zip(labels, own, strict=True))
    assert figure["data"][0]["x"] == sorted(figure["data"][0]["x"], reverse=True)


def test_symbols_say_what_is_significant_and_shares_are_shown_in_points() -> None:
    rows = [row("a", 0.2, 0.01), row("b", 0.1, 0.5), row("c", 0.0, 1.0, at_chance=True), row("d", -0.2, 0.01)]
    figure = plot_paradigms(rows, "epochs")
    assert figure is not None
    (trace,) = figure["data"]
    marks = list(zip(trace["marker"]["color"], trace["marker"]["symbol"], strict=True))
    assert marks == [MARKS[key] for key in ("better", "neither", "at chance", "worse")]
    assert trace["x"] == pytest.approx([20, 10, 0, -20])
    assert trace["error_x"]["array"] == pytest.approx([20] * 4)
    assert trace["error_x"]["arrayminus"] == pytest.approx([10] * 4)
    assert "70.0 → <b>90.0</b>" in figure["layout"]["annotations"][1]["text"]
    assert "updatemenus" not in figure["layout"]


def test_a_single_seed_has_a_point_without_an_interval() -> None:
    alone = replace(row("a", 0.2, None), difference=Difference(0.2, None, None, None, 1))
    figure = plot_paradigms([alone], "epochs")
    assert figure is not None
    assert figure["data"][0]["error_x"]["array"] == [0.0]
    assert plot_paradigms([], "epochs") is None
