"""What runs learnt: a panel for each arm, phases shaded, lines broken between them, means over seeds."""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from sleep_tune.results.report.journals import Journal, read_journal
from sleep_tune.results.report.run_figures import learning_curves, losses
from tests.results.report.searches import write_journal


def journal(folder: Path, sleeps: int) -> Journal:
    write_journal(folder, sleeps)
    read = read_journal(folder)
    assert read is not None
    return read


def test_each_arm_has_a_panel_with_its_seeds_its_phases_and_the_baselines_mean(tmp_path: Path) -> None:
    slept = [journal(tmp_path / f"t-{seed}", 10) for seed in range(3)]
    figure = losses({"epochs": [journal(tmp_path / "e", 0)], "t": slept}, {"t": "<b>t</b> folds 5"}, "epochs")
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
    slept, awake = journal(tmp_path / "t", 10), journal(tmp_path / "e", 0)
    awake = replace(awake, losses=awake.losses.assign(loss=7.0))
    figure = losses({"t": [slept], "epochs": [awake]}, {}, "epochs")
    assert figure is not None
    mean = next(trace for trace in figure["data"] if trace["name"] == "epochs, mean over seeds")
    assert set(mean["y"]) == {7.0}


def test_a_line_is_broken_where_the_other_phase_is(tmp_path: Path) -> None:
    figure = losses({"t": [journal(tmp_path / "t", 10)]}, {}, "epochs")
    assert figure is not None
    awake = next(trace for trace in figure["data"] if trace["name"] == "awake")
    assert [value is None for value in awake["y"][:4]] == [False, True, False, True]


def test_nothing_trained_is_no_figure() -> None:
    assert losses({}, {}, "epochs") is None
    assert learning_curves({"t": []}, "eval/nll") is None


def test_an_arms_mean_is_over_its_seeds_rung_by_rung() -> None:
    runs = [pd.DataFrame({"rung": [10, 20], "words_seen": [9, 19], "value": [4.0 + at, 3.0]}) for at in range(3)]
    figure = learning_curves({"epochs": runs[:1], "t": runs}, "eval/nll")
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
