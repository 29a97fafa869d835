"""The macro average is over what all arms and seeds were scored on, or there is none: equal models are equal in it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.results.arms import Arm, over_seeds
from sleep_tune.results.comparison import compare, compare_arms
from sleep_tune.results.folder_comparison import compare_folders
from sleep_tune.results.macro import average_shared_scores
from sleep_tune.results.verdict import is_claim
from sleep_tune.statistics.fixed_sample import Estimate
from tests.results.conftest import has_note, outcome
from tests.results.test_official_reports import write_model, write_report

MACRO = "babylm/macro"
SCORES = ("babylm/blimp_fast", "babylm/ewok_fast", "babylm/reading_self_paced", "babylm/wug_adj_nominalization")


def arm(name: str, **by_task: dict[int, float]) -> Arm:
    values = {f"babylm/{task}": by_seed for task, by_seed in by_task.items()}
    seeds = sorted({seed for by_seed in by_task.values() for seed in by_seed})
    return over_seeds(name, "elsewhere", values, seeds=tuple(seeds))


def of_seeds(value: float, seeds: tuple[int, ...] = (1, 2, 3)) -> dict[int, float]:
    return {seed: value + seed for seed in seeds}


def test_equal_models_scored_on_other_tasks_do_not_differ(tmp_path: Path) -> None:
    """B was scored on wug_adj, too, which had made its average 6.8 points better with p < 0.001."""
    for name in "AB":
        for shift in (1, 2, 3):
            folder = write_model(tmp_path, f"{name}{shift}", shift=shift)
            if name == "A":
                next(folder.rglob("wug_adj_nominalization/best_temperature_report.txt")).unlink()
    comparison = compare_folders(
        [f"{name}={tmp_path}/{name}{shift}" for name in "AB" for shift in (1, 2, 3)], year="2025"
    )[0]
    a, b = comparison.arms
    assert a.values[MACRO] == b.values[MACRO]
    assert b.contrasts[MACRO].difference.mean == 0.0
    assert not is_claim(b, MACRO)
    (note,) = comparison.averaged
    assert note in comparison.notes
    assert "(BLiMP fast, entities fast, eye tracking, self-paced)" in note
    assert "wug adj (not in A)" in note


def test_a_seed_that_lacks_a_task_takes_it_from_every_average() -> None:
    arms = [
        arm("epochs", blimp_fast=of_seeds(60), ewok_fast=of_seeds(50), comps=of_seeds(40)),
        arm("sleep", blimp_fast=of_seeds(60), ewok_fast=of_seeds(50), comps=of_seeds(40, (1, 2))),
    ]
    made, notes = average_shared_scores(arms, "babylm/blimp_fast")
    assert [one.values[MACRO] for one in made] == [{1: 56.0, 2: 57.0, 3: 58.0}] * 2
    assert len(notes) == 1
    assert "COMPS (not in sleep, seed 3)" in notes[0]


@pytest.mark.parametrize("primary", ["babylm/blimp_fast", MACRO])
def test_without_two_shared_tasks_there_is_no_average(primary: str) -> None:
    arms = [arm("epochs", blimp_fast=of_seeds(60)), arm("sleep", blimp_fast=of_seeds(60), comps=of_seeds(90))]
    comparison = compare_arms(arms, Experiment(name="x", objective=primary, mode="max"))
    assert all(MACRO not in one.values and MACRO not in one.estimates for one in comparison.arms)
    assert all(MACRO not in one.contrasts for one in comparison.arms)
    (note,) = comparison.averaged
    assert "no macro average is shown or compared" in note
    assert "BLiMP fast; others: COMPS (not in epochs)" in note
    assert comparison.verdict.startswith("No verdict") == (primary == MACRO)
    assert has_note(comparison, "macro")


def test_one_task_that_all_have_is_an_average_only_where_that_judges() -> None:
    arms = [arm("epochs", blimp_fast=of_seeds(60)), arm("sleep", blimp_fast=of_seeds(61))]
    made, notes = average_shared_scores(arms, "babylm/blimp_fast")
    assert (MACRO in made[0].values, notes) == (False, ())
    assert average_shared_scores(arms, MACRO)[0][0].values[MACRO] == arms[0].values["babylm/blimp_fast"]


def test_the_average_that_runs_wrote_is_made_anew_from_their_scores(log: Any) -> None:
    """A run averages whatever it was scored on: two runs of one arm may have been evaluated on other data."""
    log.open(objective={"metric": MACRO, "mode": "max"})
    for seed in (1, 2, 3):
        scores = {
            "babylm/blimp_fast": 60.0 + seed,
            "babylm/ewok_fast": 50.0,
            "babylm/comps": 10.0,
            MACRO: 40.0 + seed / 3,
        }
        log.run("epochs", seed, 2.0, 0.8, metrics=scores)
        more = {"babylm/blimp_fast": 60.0 + seed, "babylm/ewok_fast": 50.0, "babylm/comps": math.nan, MACRO: math.nan}
        log.run("t0001", seed, 2.0, 0.8, role="finalist", metrics=more if seed == 3 else scores)
    comparison = compare(log.folder)
    assert [one.values[MACRO] for one in comparison.arms] == [{1: 55.5, 2: 56.0, 3: 56.5}] * 2
    assert has_note(comparison, "Missing: t0001, seed 3,", "COMPS")
    assert not has_note(comparison, "Missing", "macro")
    assert outcome(comparison) == "undecided"


def test_full_data_count_before_the_fast_part_that_others_lack() -> None:
    both = arm("epochs", blimp_fast=of_seeds(0), blimp_filtered=of_seeds(60), ewok_filtered=of_seeds(50))
    full = arm("sleep", blimp_filtered=of_seeds(60), ewok_filtered=of_seeds(50))
    made, _ = average_shared_scores([both, full], MACRO)
    assert made[0].values[MACRO] == made[1].values[MACRO] == {1: 56.0, 2: 57.0, 3: 58.0}


def test_arms_without_any_task_and_published_rows_change_no_average() -> None:
    published = Arm(name="GPT", kind="published", estimates={MACRO: Estimate(61.2, None, None, 1)})
    arms = [
        arm("epochs", blimp_fast=of_seeds(60), ewok_fast=of_seeds(50)),
        over_seeds("other", "elsewhere", {"test/nll": of_seeds(2)}, seeds=(1, 2, 3)),
        published,
    ]
    made, notes = average_shared_scores(arms, "test/nll")
    assert [MACRO in one.estimates for one in made] == [True, False, True]
    assert made[2] is published
    assert notes[-1].startswith("Macro average of GPT: as published")


def test_two_measures_of_one_task_are_two_columns_and_that_is_said(tmp_path: Path) -> None:
    for seed in (1, 2):
        data = "main/zero_shot/mlm/wug_adj/wug_adj_nominalization"
        write_report(tmp_path / f"old{seed}" / data, {"UID": {"wug_adj_nominalization": 60.0 + seed}}, 60.0 + seed)
        rho = 0.5 + seed / 100
        write_report(tmp_path / f"new{seed}" / data, {"UID": {"avg": rho}}, rho, "SPEARMAN'S RHO")
    comparison = compare_folders([f"{name}={tmp_path}/{name}{seed}" for name in ("old", "new") for seed in (1, 2)])[0]
    assert set(comparison.metrics) == {"babylm/wug_adj_nominalization", "babylm/wug_adj_nominalization_accuracy"}
    assert all(not one.contrasts for one in comparison.arms)
    assert outcome(comparison) == "none yet"
    assert "wug adj accuracy" in comparison.verdict
    assert has_note(comparison, "Warning: wug adj accuracy (old)", "rho")


def test_a_model_without_any_number_is_refused(tmp_path: Path) -> None:
    data = "main/zero_shot/mlm/wug_adj/wug_adj_nominalization"
    write_report(tmp_path / "a" / data, {"UID": {"avg": math.nan}}, math.nan, "SPEARMAN'S RHO")
    with pytest.raises(ValueError, match=r"a \(mlm\) must have a score that is a finite number"):
        compare_folders([str(tmp_path / "a")])


@given(
    scored=st.lists(st.sets(st.sampled_from(SCORES), min_size=1), min_size=4, max_size=4),
    values=st.lists(st.floats(0, 100), min_size=4, max_size=4),
)
def test_equal_scores_have_equal_averages_whatever_was_scored(scored: list[set[str]], values: list[float]) -> None:
    """Two arms of two seeds, each scored on any tasks, with the same value wherever it was."""
    truth = dict(zip(SCORES, values, strict=True))
    arms = []
    for number, name in enumerate(("epochs", "sleep")):
        runs = scored[2 * number : 2 * number + 2]
        by_task = {key: {seed: truth[key] for seed, own in enumerate(runs) if key in own} for key in SCORES}
        arms.append(over_seeds(name, "elsewhere", by_task, seeds=(0, 1)))
    made, _ = average_shared_scores(arms, SCORES[0])
    averages = [value for one in made for value in one.values.get(MACRO, {}).values()]
    common = set.intersection(*scored)
    assert len(averages) == (4 if len(common) > 1 else 0)
    assert all(value == pytest.approx(np.mean([truth[key] for key in common])) for value in averages)
