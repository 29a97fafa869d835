"""The first sections: what is said of finalists, warnings in one place only, results apart from costs, differences."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare, compare_arms
from sleep_tune.results.experiment import Experiment
from sleep_tune.results.report.answering import answer, arms_table
from sleep_tune.results.report.arm_figures import differences
from sleep_tune.results.trial_tables import read_trials
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import make_search


def test_the_answer_names_settings_values_difference_and_cost(tmp_path: Path) -> None:
    folder = make_search(tmp_path / "replay", 12).folder
    comparison = compare(folder)
    _, finalists, *_ = answer(comparison, read_trials(folder), [], ended=True)
    assert "<strong>t0003</strong> (folds 5, ratio 0.4): test nll 4." in finalists
    assert " of epochs: -0.0" in finalists
    assert "; a run took 999,700 words seen, 250 updates, 2.00e13 FLOPs, 0.01 CPU-hours." in finalists


def test_what_could_not_be_read_is_a_warning() -> None:
    comparison, table = compare_nothing(), pd.DataFrame({"state": ["completed"]})
    assert '<p class="warn">Left out: a &lt;b&gt;.</p>' in list(
        answer(comparison, table, ["Left out: a <b>."], ended=True)
    )


def test_a_warning_is_told_once(tmp_path: Path) -> None:
    folder = make_search(tmp_path / "replay", 12, seeds=2).folder
    comparison = compare(folder)
    few = next(note for note in comparison.notes if "That is few" in note)
    page = [*answer(comparison, read_trials(folder), [], ended=True), *map(str, arms_table(comparison))]
    assert sum(few in part for part in page) == 1


def test_a_measure_stands_beside_its_difference_and_costs_in_a_table_of_their_own(tmp_path: Path) -> None:
    comparison = compare(make_search(tmp_path / "replay", 12).folder)
    _, results, costs, _ = map(str, arms_table(comparison))
    assert "<th>settings</th>" in results
    between = results.partition(">test nll</th>")[2].partition(">perplexity</th>")[0]
    assert "epochs</th>" in between
    assert "Holm p</th>" in between
    assert "FLOPs" not in results
    assert ">FLOPs</th>" in costs
    assert "settings" not in costs


def test_a_panel_for_each_endpoint_with_a_row_for_each_arm(tmp_path: Path) -> None:
    comparison = compare(make_search(tmp_path / "replay", 12).folder)
    figure = differences(comparison)
    assert figure is not None
    assert len(figure["data"]) == 2 * len(comparison.endpoints) == 4
    titles = [one["text"] for one in figure["layout"]["annotations"]]
    assert titles[0].startswith("<b>primary: test nll</b> minus epochs")
    assert titles[0].endswith("nats per token; left is better")
    assert titles[1].endswith("points; right is better")
    marks = {trace["y"][0]: trace for trace in figure["data"][:2]}
    assert marks["t0003"]["marker"]["symbol"] == "circle"  # a claim
    assert marks["as_epochs"]["marker"]["symbol"] == "circle-open"
    row, contrast = marks["t0003"], comparison.arms[-1].contrasts["test/nll"].difference
    assert contrast.low is not None
    assert row["x"][0] - row["error_x"]["arrayminus"][0] == contrast.low


@pytest.mark.parametrize(
    ("comparison", "edge"),
    [({"smallest": 0.05}, 0.05), ({"primary": "test/pairs_accuracy", "smallest": 0.02}, 2.0)],
)
def test_the_smallest_difference_of_interest_is_a_band_in_the_axis_own_unit(
    log: SyntheticLog, comparison: dict[str, Any], edge: float
) -> None:
    """Minimal pairs are scored in shares, and their axis is in points: the band was a hundredth of its width there."""
    log.open(comparison=comparison)
    for seed in (0, 1):
        log.run("epochs", seed, 4.0 + seed / 100, 0.8)
        log.run("t0001", seed, 3.9, 0.81 + seed / 100, role="finalist")
    figure = differences(compare(log.folder))
    assert figure is not None
    bands = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert [(band["x0"], band["x1"], band["xref"]) for band in bands] == [(-edge, edge, "x")]


def test_without_arms_nothing_is_compared() -> None:
    assert differences(compare_nothing()) is None
    assert list(arms_table(compare_nothing())) == ["<p>No run over fresh seeds has been asked for yet.</p>"]


def compare_nothing() -> Comparison:
    return compare_arms([], Experiment(name="replay"))
