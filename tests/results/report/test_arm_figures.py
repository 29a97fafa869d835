"""Figure of arms: differences in their unit."""

from pathlib import Path
from typing import Any

import pytest

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.results.comparison import compare, compare_arms
from sleep_tune.results.report.arm_figures import plot_differences
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import make_search


def test_a_panel_for_each_endpoint_with_a_row_for_each_arm(tmp_path: Path) -> None:
    comparison = compare(make_search(tmp_path / "replay", 12).folder)
    figure = plot_differences(comparison)
    assert figure is not None
    assert len(figure["data"]) == 2 * len(comparison.endpoints) == 4
    titles = [one["text"] for one in figure["layout"]["annotations"]]
    assert titles[0].startswith("<b>primary: test nll</b> minus epochs")
    assert titles[0].endswith("nats per token; left is better")
    assert titles[1].endswith("points; right is better")
    marks = {trace["y"][0]: trace for trace in figure["data"][:2]}
    assert marks["t0003"]["marker"]["symbol"] == "circle"  # a claim
    assert marks["as_epochs"]["marker"]["symbol"] == "diamond-open"
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
    figure = plot_differences(compare(log.folder))
    assert figure is not None
    bands = [shape for shape in figure["layout"]["shapes"] if shape["type"] == "rect"]
    assert [(band["x0"], band["x1"], band["xref"]) for band in bands] == [(-edge, edge, "x")]


def test_without_arms_there_is_no_figure() -> None:
    assert plot_differences(compare_arms([], Experiment(name="replay"))) is None
