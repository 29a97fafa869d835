"""Figures of learning: a panel of losses per arm with phases, means over seeds by rung, differences, rates."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sleep_tune.results.report.learning_figures import (
    plot_difference_curves,
    plot_learning_curves,
    plot_learning_rates,
    plot_losses,
)
from sleep_tune.results.report.training_logs import TrainingLog, read_training_log
from sleep_tune.statistics.fixed_sample import paired_difference
from tests.results.report.searches import write_training_log


def training_log(folder: Path, sleeps: int) -> TrainingLog:
    write_training_log(folder, sleeps)
    read = read_training_log(folder)
    assert read is not None
    return read


def test_each_arm_has_a_panel_with_its_seeds_its_phases_and_the_baselines_mean(tmp_path: Path) -> None:
    slept = [training_log(tmp_path / f"t-{seed}", 10) for seed in range(3)]
    figure = plot_losses({"epochs": [training_log(tmp_path / "e", 0)], "t": slept}, {"t": "<b>t</b> folds 5"}, "epochs")
    assert figure is not None
    assert [one["text"] for one in figure["layout"]["annotations"]] == ["epochs", "<b>t</b> folds 5"]
    lines = [(trace["name"], trace["yaxis"]) for trace in figure["data"]]
    assert lines.count(("awake", "y2")) == lines.count(("asleep", "y2")) == 3
    assert lines.count(("awake", "y")) == lines.count(("epochs, mean over seeds", "y2")) == 1
    assert [trace["name"] for trace in figure["data"] if trace["showlegend"]] == [
        "awake",
        "asleep",
        "epochs, mean over seeds",
    ]
    assert {shape["yref"] for shape in figure["layout"]["shapes"]} == {"y2 domain"}  # epochs has one phase only


def test_the_mean_in_every_panel_is_the_baselines_wherever_it_stands(tmp_path: Path) -> None:
    slept, awake = training_log(tmp_path / "t", 10), training_log(tmp_path / "e", 0)
    awake = replace(awake, losses=awake.losses.assign(loss=7.0))
    figure = plot_losses({"t": [slept], "epochs": [awake]}, {}, "epochs")
    assert figure is not None
    mean = next(trace for trace in figure["data"] if trace["name"] == "epochs, mean over seeds")
    assert set(mean["y"]) == {7.0}


def test_a_line_is_broken_where_the_other_phase_is(tmp_path: Path) -> None:
    figure = plot_losses({"t": [training_log(tmp_path / "t", 10)]}, {}, "epochs")
    assert figure is not None
    awake = next(trace for trace in figure["data"] if trace["name"] == "awake")
    assert [value is None for value in awake["y"][:4]] == [False, True, False, True]


def test_nothing_trained_is_no_figure() -> None:
    assert plot_losses({}, {}, "epochs") is None
    assert plot_learning_curves({"t": []}, "eval/nll") is None


def test_an_arms_mean_is_over_its_seeds_rung_by_rung() -> None:
    runs = [pd.DataFrame({"rung": [10, 20], "words_seen": [9, 19], "value": [4.0 + at, 3.0]}) for at in range(3)]
    figure = plot_learning_curves({"epochs": runs[:1], "t": runs}, "eval/nll")
    assert figure is not None
    thin = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    strong = {trace["name"]: trace for trace in figure["data"] if trace["mode"] == "lines+markers"}
    assert [trace["y"] for trace in thin] == [[4.0, 3.0], [5.0, 3.0], [6.0, 3.0]]
    assert strong["t"]["y"] == [5.0, 3.0]
    assert strong["epochs"]["y"] == [4.0, 3.0]
    assert strong["t"]["text"] == ["t, mean of 3 seeds"] * 2
    assert strong["epochs"]["text"] == ["epochs, mean of 1 seed"] * 2
    assert strong["t"]["line"]["dash"] != strong["epochs"]["line"]["dash"]
    assert figure["layout"]["yaxis"]["title"]["text"] == "eval/nll (nats per token)"


def curve(*values: float) -> pd.DataFrame:
    rungs = [10 * at for at in range(1, len(values) + 1)]
    return pd.DataFrame({"rung": rungs, "words_seen": rungs, "value": values})


def test_differences_during_training_are_paired_by_seed_with_a_band() -> None:
    """The seeds' levels cancel: 4, 5 and 9 nats apart, and the differences are -1, -2 and -3 at each of them."""
    runs = {
        "epochs": {0: curve(4.0, 3.0), 1: curve(5.0, 4.0), 2: curve(9.0, 8.0), 8: curve(1.0, 1.0)},
        "t": {2: curve(6.0, 7.0), 0: curve(3.0, 2.5), 1: curve(3.0, 3.5), 9: curve(0.0)},
    }
    figure = plot_difference_curves(runs, "eval/nll", "epochs")
    assert figure is not None
    band, mean = figure["data"]
    made = [paired_difference([3.0, 3.0, 6.0], [4.0, 5.0, 9.0]), paired_difference([2.5, 3.5, 7.0], [3.0, 4.0, 8.0])]
    assert (mean["name"], mean["x"], mean["y"]) == ("t", [10, 20], [one.mean for one in made])
    assert band["x"] == [10, 20, 20, 10]
    assert band["y"] == [made[0].high, made[1].high, made[1].low, made[0].low]
    assert mean["text"][0].endswith("3 shared seeds")


def test_one_shared_seed_has_a_line_without_a_band_and_none_has_nothing() -> None:
    runs = {"epochs": {0: curve(4.0, 3.0)}, "t": {0: curve(3.0, float("inf"))}, "u": {5: curve(1.0)}}
    figure = plot_difference_curves(runs, "eval/nll", "epochs")
    assert figure is not None
    assert [(trace["name"], trace["x"], trace["y"]) for trace in figure["data"]] == [("t", [10], [-1.0])]
    assert plot_difference_curves({"epochs": runs["epochs"], "u": runs["u"]}, "eval/nll", "epochs") is None


def test_controls_are_hidden_at_first_unless_there_is_nothing_else() -> None:
    runs = {"epochs": {0: curve(4.0)}, "t": {0: curve(3.0)}, "control": {0: curve(3.5)}}
    both = plot_difference_curves(runs, "eval/nll", "epochs", hidden=["control"])
    assert both is not None
    assert [trace["visible"] for trace in both["data"]] == [True, "legendonly"]
    alone = plot_difference_curves({**runs, "t": {}}, "eval/nll", "epochs", hidden=["control"])
    assert alone is not None
    assert [trace["visible"] for trace in alone["data"]] == [True]


def test_losses_that_are_close_have_finer_ticks(tmp_path: Path) -> None:
    wide = training_log(tmp_path / "t", 10)
    close = replace(wide, losses=wide.losses.assign(loss=np.linspace(4.2, 6.3, len(wide.losses))))
    ticks = []
    for log in (wide, close):
        figure = plot_losses({"t": [log]}, {}, "epochs")
        assert figure is not None
        ticks.append([tick for tick in figure["layout"]["yaxis"]["tickvals"] if 4.2 < tick < 6.3])
    assert ticks == [[5], [4.5, 5, 5.5, 6]]


def test_each_fold_and_each_sleep_has_its_learning_rate(tmp_path: Path) -> None:
    logs = {"epochs": training_log(tmp_path / "e", 0), "t": training_log(tmp_path / "t", 10)}
    figure = plot_learning_rates(logs, {"t": "<b>t</b> folds 5"})
    assert figure is not None
    points = {(trace["name"], trace["yaxis"]): trace["y"] for trace in figure["data"]}
    assert [len(rates) for rates in points.values()] == [20, 0, 10, 10]
    assert points["a fold, read awake", "y2"] == pytest.approx([1e-3 * (1 - step / 21) for step in range(1, 21, 2)])
    assert [trace["showlegend"] for trace in figure["data"]] == [True, False, False, True]
    titles = [note["text"] for note in figure["layout"]["annotations"]]
    assert titles == [
        "epochs<br>last 2 folds read at 8% of the highest rate",
        "<b>t</b> folds 5<br>last fold read at 10% of the highest rate",
    ]


def test_the_rates_of_an_older_run_are_those_of_its_lines_of_losses(tmp_path: Path) -> None:
    log = training_log(tmp_path / "t", 10)
    path = tmp_path / "t" / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if '"kind": "phase"' not in line))
    older = read_training_log(tmp_path / "t")
    assert older is not None
    assert older.phases["learning_rate"].tolist() == [1e-3] * 20
    assert older.phases[["phase", "cycle"]].equals(log.phases[["phase", "cycle"]])
    assert plot_learning_rates({"t": replace(log, phases=log.phases.head(0))}, {}) is None
