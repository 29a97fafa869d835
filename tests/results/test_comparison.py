"""Comparison with epochs: its rows, its cells, and what it claims."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.multitest import multipletests

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.results.arms import Arm, Comparison, Contrast
from sleep_tune.results.columns import PAIRS
from sleep_tune.results.comparison import compare, compare_arms
from sleep_tune.results.markup import as_markdown
from sleep_tune.results.sheet import claim_of
from sleep_tune.results.verdict import write_verdict
from sleep_tune.statistics.fixed_sample import (
    Difference,
    equivalence_p,
    fewest_seeds,
    holm,
    paired_difference,
    worst_rank_p,
)
from sleep_tune.statistics.schedule import LEVEL
from tests.results.conftest import has_note, outcome

SEEDS = (1000, 1001, 1002, 1003, 1004)
SETTINGS = {"sleep.folds": 5}


def fill(log: Any, effects: dict[str, float], seeds: tuple[int, ...] = SEEDS, noise: float = 0.01) -> dict[str, Any]:
    """Runs of each arm around epochs plus its effect; returns arm -> its nll by seed."""
    rng = np.random.default_rng(7)
    base = rng.normal(2.5, 0.05, len(seeds))
    values = {arm: base + effect + rng.normal(0, noise, len(seeds)) for arm, effect in effects.items()}
    for arm, nlls in values.items():
        role = "baseline" if "epochs" in arm else "finalist"
        for seed, nll in zip(seeds, nlls, strict=True):
            log.run(arm, seed, float(nll), 0.9 - float(nll) / 100, role=role, parameters=SETTINGS)
    return values


def by_name(comparison: Comparison) -> dict[str, Arm]:
    return {arm.name: arm for arm in comparison.arms}


def test_rows_are_the_baseline_then_controls_then_finalists_and_no_search_trial(log: Any) -> None:
    log.open()
    log.ask("t0001", parameters={"sleep.folds": 5})
    log.complete("t0001", {"eval/nll": 1.0})
    fill(log, {"t0001": 0.0, "as_epochs": 0.0, "epochs": 0.0})
    comparison = compare(log.folder)
    assert [(arm.name, arm.kind) for arm in comparison.arms] == [
        ("epochs", "baseline"),
        ("as_epochs", "control"),
        ("t0001", "finalist"),
    ]
    assert by_name(comparison)["t0001"].seeds == SEEDS
    assert comparison.trials == {"completed": 1}


def test_a_tuned_baselines_own_search_is_not_among_its_runs(log: Any) -> None:
    log.open(baselines={"epochs": {"trials": 8}})
    log.heads["epochs-t0001"] = {"role": "search", "arm": "epochs", "seed": 0}
    log.event("asked", "epochs-t0001", study="epochs", number=0, parameters={"training.learning_rate": 0.1}, group="")
    log.complete("epochs-t0001", {"eval/nll": 1.0})
    fill(log, {"epochs": 0.0, "t0001": 0.0})
    comparison = compare(log.folder)
    assert by_name(comparison)["epochs"].seeds == SEEDS
    assert has_note(comparison, "Tuned: epochs", "8 trials")


def test_an_arm_is_what_its_settings_are_now(log: Any) -> None:
    """A search that has grown tuned its baseline anew: runs under the earlier settings are no replicates."""
    log.open()
    for seed in (1, 2, 3):
        log.run("epochs", seed, 5.0, 0.5, parameters={"training.learning_rate": 1e-3})
    log.ask("epochs-v2-s1", role="baseline", arm="epochs", seed=1, parameters={"training.learning_rate": 1e-4})
    log.complete("epochs-v2-s1", {"eval/nll": 4.0, "test/nll": 4.0})
    (arm,) = compare(log.folder).arms
    assert arm.parameters == {"training.learning_rate": 1e-4}
    assert arm.values["test/nll"] == {1: 4.0}


def test_cells_and_differences_are_scipys_and_p_is_holms(log: Any) -> None:
    log.open()
    values = fill(log, {"epochs": 0.0, "as_epochs": 0.001, "t0001": -0.03, "t0002": -0.012})
    arms = by_name(compare(log.folder))
    estimate = arms["t0001"].estimates["test/nll"]
    interval = scipy.stats.ttest_1samp(values["t0001"], 0).confidence_interval(0.95)
    assert (estimate.mean, estimate.low, estimate.high) == pytest.approx(
        (values["t0001"].mean(), interval.low, interval.high), abs=1e-9
    )
    others = ["as_epochs", "t0001", "t0002"]
    expected = [scipy.stats.ttest_rel(values[name], values["epochs"]).pvalue for name in others]
    contrasts = [arms[name].contrasts["test/nll"] for name in others]
    assert [contrast.difference.p for contrast in contrasts] == pytest.approx(expected, abs=1e-9)
    assert [contrast.p_holm for contrast in contrasts] == pytest.approx(
        list(multipletests(expected, method="holm")[1]), abs=1e-9
    )
    assert arms["epochs"].contrasts == {}
    assert arms["t0001"].estimates["test/pairs/agreement"].count == 5
    assert arms["t0001"].estimates["cpu_hours"].mean == pytest.approx(0.01)


def test_a_real_difference_is_claimed_with_its_numbers(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "as_epochs": 0.0, "t0001": -0.05, "t0002": 0.05})
    comparison = compare(log.folder)
    assert outcome(comparison) == "better"
    for part in ("at the same number of words", "test nll", "t0001 is better (-0.0", "t0002 is worse (+0.0", "5 seeds"):
        assert part in comparison.verdict


def test_no_difference_is_not_claimed(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "as_epochs": 0.0, "t0001": 0.0}, noise=0.03)
    assert outcome(compare(log.folder)) == "undecided"


def test_only_losses_are_called_a_loss(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": 0.05})
    assert outcome(compare(log.folder)) == "worse"


def test_a_loss_of_one_arm_is_none_of_the_others(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": 0.5, "t0002": 0.0})
    comparison = compare(log.folder)
    assert outcome(comparison) == "mixed"
    assert "t0001 is worse (+0.5" in comparison.verdict
    assert "no significant difference: t0002." in comparison.verdict


def test_a_higher_objective_can_be_the_better(log: Any) -> None:
    log.open(objective={"metric": "eval/pairs_accuracy", "mode": "max"})
    fill(log, {"epochs": 0.0, "t0001": -0.5})
    comparison = compare(log.folder)
    assert comparison.endpoints == ("test/pairs_accuracy",)
    assert outcome(comparison) == "better"
    assert "test pairs %: t0001 is better (+0.5" in comparison.verdict


def test_the_verdict_goes_by_the_direction_of_the_endpoint_that_the_study_names(log: Any) -> None:
    """The search is for a low loss; more pairs right are better all the same."""
    log.open(comparison={"primary": "test/pairs_accuracy"})
    fill(log, {"epochs": 0.0, "t0001": -0.5, "t0002": 0.5})
    verdict = compare(log.folder).verdict
    assert "t0001 is better (+0.5" in verdict
    assert "t0002 is worse (-0.5" in verdict


def test_a_control_that_differs_casts_doubt(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "as_epochs": -0.05, "t0001": -0.05})
    assert re.search(r"Warning: .*control as_epochs .*-0\.0", compare(log.folder).verdict)


def test_a_baseline_that_was_tuned_has_no_control(log: Any) -> None:
    """The arms then differ in what was tuned, and a difference between them is neither noise nor an error."""
    log.open()
    for seed in SEEDS:
        log.run("epochs", seed, 2.5 + seed / 1e5, 0.9, parameters={"training.learning_rate": 0.01})
        log.run("as_epochs", seed, 3.0 + seed / 2e5, 0.9)
        log.run("t0001", seed, 2.0 + seed / 3e5, 0.9, role="finalist", parameters=SETTINGS)
    comparison = compare(log.folder)
    assert by_name(comparison)["as_epochs"].contrasts["test/nll"].p_holm < LEVEL  # type: ignore[operator]
    assert "as_epochs" not in comparison.verdict
    assert has_note(comparison, "Warning", "as_epochs is no A/A control")


def test_one_seed_supports_no_claim(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": -0.5}, seeds=(1000,))
    comparison = compare(log.folder)
    assert outcome(comparison) == "one seed"
    assert by_name(comparison)["t0001"].estimates["test/nll"].low is None
    assert by_name(comparison)["t0001"].contrasts["test/nll"].p_holm is None
    assert has_note(comparison, "1 seed per arm")
    assert has_note(comparison, "Warning", "1 seed", "at least 5")


def test_differences_are_over_shared_seeds_and_what_is_missing_is_said(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0})
    log.run("t0001", 1000, 2.0, 0.9, role="finalist")
    log.run("t0001", 1001, 2.0, 0.9, role="finalist")
    log.ask("t0001-s1002", role="finalist", arm="t0001", seed=1002)
    log.event("failed", "t0001-s1002", 1, reason="loss is nan\ntrace", kind="diverged", log=None)
    log.ask("t0001-s1003", role="finalist", arm="t0001", seed=1003)
    comparison = compare(log.folder)
    arm = by_name(comparison)["t0001"]
    assert arm.contrasts["test/nll"].difference.count == 2
    assert (arm.unfinished, arm.failures) == ((1003,), {1002: "loss is nan\ntrace"})
    assert arm.diverged == {1002}
    assert "Diverged: t0001, seed 1002: loss is nan." in comparison.notes
    assert "Not finished: t0001, seed 1003." in comparison.notes
    assert has_note(comparison, "2 to 5 seeds per arm;")


def test_a_value_that_is_not_finite_is_left_out(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": 0.0})
    log.run("t0001", 1009, 2.0, 0.9, role="finalist", metrics={"test/nll": float("nan")})
    arm = by_name(compare(log.folder))["t0001"]
    assert arm.estimates["test/nll"].count == 5
    assert arm.diverged == {1009}


def test_a_run_that_was_not_measured_has_not_diverged(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": 0.0})
    log.ask("t0001-s1009", role="finalist", arm="t0001", seed=1009)
    log.complete("t0001-s1009", {"eval/nll": 2.0})
    comparison = compare(log.folder)
    assert by_name(comparison)["t0001"].diverged == frozenset()
    assert "Missing: t0001, seed 1009, ended without a finite test nll." in comparison.notes


def test_the_notes_say_what_was_matched_tuned_and_repeated(log: Any) -> None:
    log.open(parameters={"sleep.folds": {}, "sleep.replay.ratio": {}})
    for number in range(3):
        log.ask(f"t000{number}")
    log.complete("t0000", {"eval/nll": 1.0})
    log.event("stopped", "t0001", 1, outcome=None)
    fill(log, {"epochs": 0.0, "as_epochs": 0.0, "t0000": 0.0})
    comparison = compare(log.folder)
    assert comparison.notes[0].startswith("Matched on words seen: every run saw 999,700 words; updates within 0.00%")
    search = "3 trials (1 completed, 1 running, 1 stopped) over folds, ratio for the lowest eval/nll on dev"
    assert has_note(comparison, "Tuned: the finalists", search)
    assert has_note(comparison, "Not tuned: epochs and as_epochs")
    assert has_note(comparison, "5 seeds per arm, the same for every arm", "on test")
    assert not has_note(comparison, "Warning", "seeds")


def test_arms_that_saw_different_words_are_not_called_matched(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0})
    log.run("t0001", 1000, 2.0, 0.9, role="finalist", words_seen=700_000)
    note = compare(log.folder).notes[0]
    assert note.startswith("Not matched on words seen: t0001 saw 700,000 words, 30.0% fewer than epochs (999,700)")


def test_a_batch_apart_is_matched_however_small_the_budget(log: Any) -> None:
    log.open()
    log.run("epochs", 1000, 2.0, 0.9, updates=20)
    log.run("t0001", 1000, 2.0, 0.9, role="finalist", words_seen=980_000, updates=20)
    assert compare(log.folder).notes[0].startswith("Matched on words seen: every run saw 980,000 to 999,700 words")


def test_gpu_hours_count_the_gpus_that_a_run_held(log: Any) -> None:
    log.open()
    log.ask("epochs-s1", role="baseline", arm="epochs", seed=1, gpus=4.0)
    log.complete("epochs-s1", {"eval/nll": 2.0, "test/nll": 2.0}, device="NVIDIA H100 80GB HBM3", seconds=3600.0)
    estimates = by_name(compare(log.folder))["epochs"].estimates
    assert estimates["gpu_hours"].mean == 4.0
    assert "cpu_hours" not in estimates


@pytest.mark.parametrize("stage", ["empty", "searching", "baseline only", "no test"])
def test_an_unfinished_experiment_has_no_verdict_yet(log: Any, stage: str) -> None:
    log.open()
    if stage != "empty":
        log.ask("t0001")
    if stage in ("baseline only", "no test"):
        log.run("epochs", 1000, 2.0, 0.9)
    if stage == "no test":
        log.ask("t0001-s1", role="finalist", arm="t0001", seed=1000)
        log.complete("t0001-s1", {"eval/nll": 2.0})
    comparison = compare(log.folder)
    assert outcome(comparison) == "none yet"


def test_a_run_that_was_interrupted_is_unfinished_however_far_it_came(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": -0.1})
    log.ask("t0001-s7", role="finalist", arm="t0001", seed=7, parameters=SETTINGS)
    log.rung("t0001-s7", 300_000, nll=0.1)
    log.event("closed", finished=False)
    arm = by_name(compare(log.folder))["t0001"]
    assert (arm.seeds, arm.unfinished) == (SEEDS, (7,))
    assert arm.estimates["eval/nll"].count == len(SEEDS)


def test_what_is_better_is_said_by_each_endpoint_s_own_direction(log: Any) -> None:
    """A lower loss and more pairs right are both better, whichever of them the search was for."""
    log.open()
    fill(log, {"epochs": 0.0, "t0001": -0.5, "t0002": 0.5})
    comparison = compare(log.folder)
    claims = {
        arm.name: [claim_of(arm, key, comparison) for key in ("test/nll", PAIRS)]
        for arm in comparison.arms
        if arm.contrasts
    }
    assert claims == {"t0001": ["better", "better"], "t0002": ["worse", "worse"]}


def test_the_largest_difference_is_the_furthest_from_none(log: Any) -> None:
    log.open()
    for at, seed in enumerate(SEEDS):
        wide = (-1, 1, -1, 1, 0)[at]
        for arm, mean in (("epochs", 0.0), ("t0001", -0.3), ("t0002", 0.1)):
            role = "baseline" if arm == "epochs" else "finalist"
            log.run(arm, seed, 2.5 + mean + (wide if mean else 0), 0.9, role=role, parameters=SETTINGS)
    assert "the largest is t0001 (-0.3" in compare(log.folder).verdict


def test_the_seeds_that_a_claim_needs_are_those_after_correction(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "as_epochs": 0.0, "t0001": -0.5, "t0002": -0.1})
    fail(log, "t0001", 1005)
    alone, corrected = (fewest_seeds(1, LEVEL / tests) for tests in (1, 3))
    assert alone < corrected
    assert f"fewer than {alone} seeds ({corrected} after Holm correction over 3 tests)" in compare(log.folder).verdict


def test_a_p_of_equality_so_small_that_it_is_0_is_still_a_finding() -> None:
    """Student's t of 10^9 degrees of freedom is 0 in floating point from about 38 standard errors on."""
    arms = [
        Arm(name=name, kind=kind, seeds=SEEDS, values={PAIRS: dict.fromkeys(SEEDS, 0.5)})
        for name, kind in (("epochs", "baseline"), ("t0001", "finalist"))
    ]
    comparison = compare_arms(arms, Experiment(name="x", endpoint=PAIRS, smallest=0.5))
    certain = Contrast(difference=Difference(0.0, -1e-6, 1e-6, 0.9, 5, 1e-6, 1e9), p_holm=0.9, p_equal=0.0)
    changed = replace(comparison, arms=(arms[0], replace(arms[1], contrasts={PAIRS: certain})))
    assert re.search(r"Equivalent within 50\.0 points,.*: t0001\.", write_verdict(changed))


def test_where_nothing_differs_few_tables_claim_anything() -> None:
    """The level holds over whole tables: three arms and epochs from one distribution, paired over 5 seeds."""
    rng = np.random.default_rng(0)
    tables, claims = 1000, 0
    for _ in range(tables):
        seeds = rng.normal(0, 0.05, 5)
        epochs, *arms = (seeds + rng.normal(0, 0.02, 5) for _ in range(4))
        p = holm([paired_difference(arm, epochs).p or 0.0 for arm in arms])
        claims += min(p) < LEVEL
    assert claims / tables <= LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / tables)


def test_a_model_that_scores_a_constant_is_pointed_out(log: Any) -> None:
    log.open()
    log.run("epochs", 0, 2.0, 0.8, metrics={"test/pairs_ties": 0.01, "ties/blimp_fast": 1.0})
    log.run("t0001", 0, 2.0, 1.0, role="finalist", metrics={"test/pairs_ties": 1.0, "ties/blimp_fast": 97.5})
    assert has_note(compare(log.folder), "Warning", "t0001 in 98% of blimp_fast, t0001 in 100% of pairs.")


def fail(log: Any, arm: str, seed: int, kind: str = "diverged") -> None:
    log.ask(
        f"{arm}-s{seed}", role="baseline" if arm == "epochs" else "finalist", arm=arm, seed=seed, parameters=SETTINGS
    )
    log.event("failed", f"{arm}-s{seed}", 1, reason="loss is nan", kind=kind, log=None)


def test_a_mean_over_the_seeds_that_survived_is_no_claim(log: Any) -> None:
    """With 2 of 5 seeds diverged the verdict said that sleep beats epochs, p = 0.0013, 3 seeds."""
    log.open()
    fill(log, {"epochs": 0.0})
    for at, seed in enumerate(SEEDS[:3]):
        nll = by_name(compare(log.folder))["epochs"].values["test/nll"][seed]
        log.run("t0001", seed, nll - 0.5 - at / 1000, 0.9, role="finalist")
    for seed in SEEDS[3:]:
        fail(log, "t0001", seed)
    comparison = compare(log.folder)
    contrast = by_name(comparison)["t0001"].contrasts["test/nll"]
    assert (contrast.lost, contrast.won, contrast.seeds, contrast.difference.count) == (2, 0, 5, 3)
    assert contrast.p_holm == worst_rank_p([1.0, 2.0, 3.0], 2)
    assert outcome(comparison) == "undecided"
    assert "3 of 5 seeds" in comparison.verdict
    assert "t0001 diverged at 2 of 5 seeds" in comparison.verdict
    assert "fewer than 17 seeds" in comparison.verdict
    assert "| 3 of 5 |" in as_markdown(comparison)


def test_an_arm_that_is_worse_and_diverges_is_said_to_be_worse(log: Any) -> None:
    """Ranks of 5 seeds reach p = 0.0625 at least, so that only an arm without a diverged seed could lose to epochs."""
    log.open()
    values = fill(log, {"epochs": 0.0})["epochs"]
    for at, seed in enumerate(SEEDS[:3]):
        log.run("t0001", seed, float(values[at]) + 0.5 + at / 1000, 0.9, role="finalist", parameters=SETTINGS)
    for seed in SEEDS[3:]:
        fail(log, "t0001", seed)
    comparison = compare(log.folder)
    contrast = by_name(comparison)["t0001"].contrasts["test/nll"]
    survivors = paired_difference([0.5, 0.501, 0.502], [0.0, 0.0, 0.0]).p
    assert contrast.difference.p == pytest.approx(survivors, rel=1e-6)
    assert outcome(comparison) == "worse"


def test_where_seeds_diverged_no_interval_stands_beside_p(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": -0.5})
    before, interval, _ = comparison_cell(log).partition(" [")
    assert interval
    fail(log, "t0001", 1005)
    assert comparison_cell(log).strip("*") == f"{before.strip('*')}†"
    comparison = compare(log.folder)
    assert sum(note.startswith("†") for note in comparison.notes) == 1
    assert "[" not in comparison.verdict


def comparison_cell(log: Any) -> str:
    """The difference of the last arm at the primary endpoint, as the table in Markdown has it."""
    lines = as_markdown(compare(log.folder)).splitlines()
    heading = next(line for line in lines if line.startswith("| arm"))
    row = next(line for line in lines if line.startswith("| t0001"))
    place = [cell.strip() for cell in heading.split("|")].index("test nll − epochs")  # noqa: RUF001
    return row.split("|")[place].strip(" *")


@pytest.mark.parametrize("kind", ["out_of_memory", "infrastructure"])
def test_a_run_that_the_machine_lost_is_missing_and_counts_against_no_arm(log: Any, kind: str) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": -0.5}, seeds=SEEDS)
    before = by_name(compare(log.folder))["t0001"].contrasts["test/nll"]
    fail(log, "t0001", 1005, kind)
    comparison = compare(log.folder)
    assert by_name(comparison)["t0001"].contrasts["test/nll"] == before
    assert "Missing: t0001, seed 1005, failed: loss is nan." in comparison.notes
    assert outcome(comparison) == "better"


def test_with_enough_seeds_an_arm_that_diverged_once_can_still_be_better(log: Any) -> None:
    log.open()
    seeds = tuple(range(12))
    fill(log, {"epochs": 0.0, "t0001": -0.5}, seeds=seeds[:11])
    log.run("epochs", 11, 2.5, 0.9, parameters=SETTINGS)
    fail(log, "t0001", 11)
    comparison = compare(log.folder)
    assert by_name(comparison)["t0001"].contrasts["test/nll"].p_holm == pytest.approx(0.034, abs=5e-4)
    assert outcome(comparison) == "better"
    assert "11 of 12 seeds" in comparison.verdict
    assert "t0001 diverged at 1 of 12 seeds" in comparison.verdict


@pytest.mark.parametrize("effect", [-0.5, 0.5])
def test_a_baseline_that_diverged_makes_no_claim_bolder(log: Any, effect: float) -> None:
    """It counts against the baseline, yet no claim about the other seeds is stronger for the pair that is gone."""
    log.open()
    fill(log, {"epochs": 0.0, "t0001": effect})
    alone = by_name(compare(log.folder))["t0001"].contrasts["test/nll"]
    fail(log, "epochs", 1005)
    log.run("t0001", 1005, 2.0, 0.9, role="finalist")
    comparison = compare(log.folder)
    contrast = by_name(comparison)["t0001"].contrasts["test/nll"]
    assert (contrast.lost, contrast.won, contrast.seeds) == (0, 1, 6)
    assert contrast.difference.p == max(
        alone.difference.p or 1.0, worst_rank_p([-effect * k for k in range(1, 6)], 0, 1)
    )
    assert outcome(comparison) == ("better" if effect < 0 else "undecided")
    assert "epochs diverged at 1 of 6 seeds" in comparison.verdict


def test_a_seed_at_which_both_diverged_speaks_for_neither(log: Any) -> None:
    log.open()
    fill(log, {"epochs": 0.0, "t0001": -0.5})
    fail(log, "epochs", 1005)
    fail(log, "t0001", 1005)
    contrast = by_name(compare(log.folder))["t0001"].contrasts["test/nll"]
    assert (contrast.lost, contrast.won, contrast.both) == (0, 0, 1)
    assert contrast.difference.p == worst_rank_p(range(1, 6), 0)


@pytest.mark.parametrize("whose", ["epochs", "t0001"])
def test_an_arm_of_which_every_seed_diverged_is_no_arm_still_to_come(log: Any, whose: str) -> None:
    log.open()
    other = "t0001" if whose == "epochs" else "epochs"
    fill(log, {other: 0.0})
    for seed in SEEDS:
        fail(log, whose, seed)
    comparison = compare(log.folder)
    assert outcome(comparison) == "none yet"
    assert f"{whose} diverged at 5 of 5 seeds." in comparison.verdict


def test_equality_is_corrected_and_no_arm_that_diverged_is_equal(log: Any) -> None:
    log.open(comparison={"smallest": 0.02})
    values = fill(log, {"epochs": 0.0, "t0001": 0.0, "t0002": 0.0, "t0003": 0.0}, noise=0.008)
    made = [by_name(compare(log.folder))[arm].contrasts["test/nll"] for arm in ("t0001", "t0002", "t0003")]
    alone = [
        equivalence_p(paired_difference(values[arm], values["epochs"]), 0.02) for arm in ("t0001", "t0002", "t0003")
    ]
    assert [one.p_equal for one in made] == pytest.approx(holm([p or 0.0 for p in alone]))
    fail(log, "t0001", 1005)
    assert by_name(compare(log.folder))["t0001"].contrasts["test/nll"].p_equal == 1.0


def test_a_difference_that_is_the_same_at_every_seed_is_not_tested(log: Any) -> None:
    log.open()
    for seed in range(8):
        log.run("epochs", seed, 2.5, 0.9)
        log.run("t0001", seed, 2.0, 0.9, role="finalist")
    comparison = compare(log.folder)
    assert by_name(comparison)["t0001"].contrasts["test/nll"].p_holm == 1.0
    assert outcome(comparison) == "undecided"
    assert has_note(comparison, "Warning: t0001 in test nll", "p is 1")


def test_a_search_without_baselines_says_how_to_add_the_reference(log: Any) -> None:
    log.open(parameters={"sleep.folds": {"choice": [5, 10]}}, baselines={})
    fill(log, {"t0001": 0.0})
    verdict = compare(log.folder).verdict
    assert "baselines: {epochs: {}}" in verdict
    assert "yet" not in verdict
