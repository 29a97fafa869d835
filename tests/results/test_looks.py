"""A study that is judged look by look: its p, its verdict, its notes, and the judge that the search asks."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats

from sleep_tune.errors import DataError
from sleep_tune.experiment.event_log import read_events
from sleep_tune.results.arms import Arm, Comparison, Contrast, Decided
from sleep_tune.results.comparison import compare
from sleep_tune.results.gain_text import gain_texts
from sleep_tune.results.look_judge import judge_look
from sleep_tune.results.look_table import list_looks, tabulate_looks
from sleep_tune.results.seed_plan import SeedPlan, find_plan
from sleep_tune.results.sequential_contrasts import level_of_look
from sleep_tune.results.sheet import make_sheet
from sleep_tune.statistics.fixed_sample import detectable_difference
from sleep_tune.statistics.schedule import Schedule
from sleep_tune.statistics.sequential import sequential_difference, sequential_equivalence
from tests.results.conftest import has_note, outcome

ORDER = (907, 31, 512, 44, 800, 5, 610, 77, 300, 12, 450, 9, 230, 700)
"""Fresh seeds in the order of the study, which is not that of their numbers."""

LOOKS = {"seeds": {"looks": [5, 8, 12]}}
KEPT = {"reserve": 0.1}


def fill(
    log: Any, effects: Mapping[str, float], start: int, end: int, *, noise: float = 0.01, seed: int = 7, **more: Any
) -> dict[str, np.ndarray]:
    """Runs of each arm over the seeds of the study from `start` to `end`; returns arm -> its nll."""
    rng = np.random.default_rng(seed)
    base, noises = rng.normal(2.5, 0.05, 20), {arm: rng.normal(0, noise, 20) for arm in effects}
    values = {arm: base + effect + (noises[arm] if arm != "epochs" else 0.0) for arm, effect in effects.items()}
    for at in range(start, end):
        for arm, nlls in values.items():
            role = "baseline" if "epochs" in arm else "finalist"
            log.run(arm, ORDER[at], float(nlls[at]), 0.9, role=role, **more)
    return {arm: nlls[:end] for arm, nlls in values.items()}


def made(comparison: Comparison, arm: str = "t0001") -> Contrast:
    return arms(comparison)[arm].contrasts["test/nll"]


def arms(comparison: Comparison) -> dict[str, Arm]:
    return {arm.name: arm for arm in comparison.arms}


def test_the_plan_is_the_one_of_the_first_run_over_fresh_seeds(log: Any) -> None:
    """A change before it is free; a later one may depend on results, and its seeds are growth."""
    log.open(finalists={"seeds": 3}, comparison=KEPT)
    log.ask("t0001")
    log.event("changed", differences=[], space={"name": "x", "finalists": LOOKS, "comparison": KEPT})
    fill(log, {"epochs": 0.0}, 0, 1)
    log.event("changed", differences=[], space={"name": "x", "finalists": {"seeds": 14}, "comparison": KEPT})
    fill(log, {"epochs": 0.0}, 1, 14)
    plan = find_plan(read_events(log.path))
    assert plan == SeedPlan(Schedule((5, 8, 12), 0.1), ORDER)
    assert [plan.look(seed) for seed in ORDER] == [1] * 5 + [2] * 3 + [3] * 4 + [4] * 2
    assert plan.added == 2


@pytest.mark.parametrize("study", [{}, {"finalists": {"seeds": 5}}, {"finalists": {"seeds": 5}, "comparison": {}}])
def test_an_earlier_version_planned_nothing_until_its_study_grew(log: Any, study: dict[str, Any]) -> None:
    log.open(**study)
    fill(log, {"epochs": 0.0, "t0001": 0.01}, 0, 5)
    log.event("closed", finished=True)
    assert find_plan(read_events(log.path)) is None
    log.event("resumed")
    fill(log, {"epochs": 0.0, "t0001": 0.01}, 5, 6)
    assert find_plan(read_events(log.path)) == SeedPlan(Schedule((5,), 0.1, overspent=True), ORDER[:6])
    assert has_note(compare(log.folder), "intervals", "94.5%")


def test_one_planned_look_is_the_t_test_and_a_part_of_the_level_is_kept(log: Any) -> None:
    """A p between 0.045 and 0.05 is no claim; its number is that of a fixed number of seeds."""
    log.open(finalists={"seeds": 5}, comparison=KEPT)
    shape = np.array([0.2, -0.1, 0.3, -0.35, 0.1])
    target = scipy.stats.t.isf(0.047 / 2, 4) * shape.std(ddof=1) / np.sqrt(5)
    for at in range(5):
        log.run("epochs", ORDER[at], 2.0, 0.9)
        log.run("t0001", ORDER[at], 2.0 + shape[at] - shape.mean() - target, 0.9, role="finalist")
    comparison = compare(log.folder)
    contrast = made(comparison)
    assert contrast.difference.p == pytest.approx(0.047, abs=1e-9)
    assert contrast.level == 0.045
    assert (contrast.looks, contrast.is_significant) == (1, False)
    assert contrast.difference.low is not None
    assert contrast.difference.high is not None
    assert contrast.difference.low < 0 < contrast.difference.high
    assert outcome(comparison) == "undecided"
    assert has_note(comparison, "0.045", "comparison.reserve", "hold at 95%")


def test_a_table_says_at_which_look_it_is_and_p_is_that_of_the_looks(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    values = fill(log, {"epochs": 0.0, "t0001": -0.008, "t0002": 0.0}, 0, 8)
    comparison = compare(log.folder)
    numbers = [1] * 5 + [2] * 3
    for name in ("t0001", "t0002"):
        expected = sequential_difference(values[name] - values["epochs"], numbers, Schedule((5, 8, 12)), 2)
        assert made(comparison, name).difference.p == pytest.approx(expected.difference.p, rel=1e-6)
        assert made(comparison, name).difference.low == pytest.approx(expected.difference.low, rel=1e-6)
        assert made(comparison, name).looks == 2
    assert "look 2 of 3, at 8 seeds; the next is at 12 seeds" in comparison.verdict
    assert has_note(comparison, "5, 8 and 12 seeds")


def test_a_table_made_between_two_looks_counts_only_complete_ones(log: Any) -> None:
    """But for the part that holds at any time, which is weak after so few seeds."""
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.012}, 0, 5)
    at_look = made(compare(log.folder))
    fill(log, {"epochs": 0.0, "t0001": -0.012}, 5, 7)
    between = compare(log.folder)
    assert made(between).difference.p == pytest.approx(at_look.difference.p)
    assert (made(between).looks, made(between).difference.count) == (1, 7)
    assert [(row.look, row.contrast.seeds) for row in list_looks(between)] == [(1, 5), (None, 7)]


def test_before_the_first_look_is_complete_there_is_no_verdict(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.02}, 0, 4)
    comparison = compare(log.folder)
    assert outcome(comparison) == "none yet"
    assert "5 seeds" in comparison.verdict
    log.ask("t0001-s800", role="finalist", arm="t0001", seed=800)
    fill(log, {"epochs": 0.0}, 4, 5)
    assert made(compare(log.folder)).looks == 0
    log.event("failed", "t0001-s800", 1, reason="node lost", kind="infrastructure", log=None)
    assert made(compare(log.folder)).looks == 1


def test_an_arm_that_is_decided_lacks_no_seeds(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.008, "t0002": 0.05}, 0, 5)
    found = {"t0002": {"decided": "significant", "p": 0.001}, "t0001": {"p": 0.2}}
    log.event("look", number=1, seeds=5, arms=found, reason=None)
    fill(log, {"epochs": 0.0, "t0001": -0.008}, 5, 8)
    comparison = compare(log.folder)
    assert arms(comparison)["t0002"].decided == Decided(5, "significant")
    assert arms(comparison)["t0001"].decided is None
    assert (made(comparison, "t0002").looks, made(comparison).looks) == (1, 2)
    assert has_note(comparison, "Decided: t0002 at 5 seeds (significant)")
    assert not has_note(comparison, "Missing") and not has_note(comparison, "Warning", "shares")
    assert "look 2 of 3" in comparison.verdict
    seeds = [row[2].text for row in make_sheet(comparison).rows]
    assert seeds == ["8", "8", "5"]
    table = tabulate_looks(comparison)
    assert list(table["arm"]) == ["t0001", "t0001", "t0002"]
    assert list(table["decided"].fillna("")) == ["", "", "significant"]
    fill(log, {"t0002": 0.05}, 5, 8)
    assert arms(compare(log.folder))["t0002"].decided is None


def test_a_run_that_was_lost_at_a_look_and_trained_again_changes_nothing_that_the_look_showed(log: Any) -> None:
    """It belongs to the next look, and while it is trained the look stays complete."""
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.05}, 0, 4)
    fill(log, {"epochs": 0.0}, 4, 5)
    lost = f"t0001-s{ORDER[4]}"
    log.ask(lost, role="finalist", arm="t0001", seed=ORDER[4])
    log.event("failed", lost, 1, reason="boom", kind="bug", log=None)
    found = judge_look(log.folder, ORDER[:5])["t0001"]
    assert found.decided == "significant"
    log.event("look", number=1, seeds=5, arms={"t0001": found.to_json()}, reason=None)
    log.event("resumed")
    while_trained = made(compare(log.folder))
    values = {"eval/nll": 4.0, "test/nll": 4.0, "test/pairs_accuracy": 0.5}
    log.event("started", lost, 2, after="resumed", gpus=0.0)
    log.complete(lost, values, attempt=2)
    comparison = compare(log.folder)
    for contrast in (while_trained, made(comparison)):
        assert (contrast.looks, contrast.p_holm, contrast.is_significant) == (1, found.p, True)
    assert has_note(comparison, "Decided: t0001 at 5 seeds (significant).")
    rows = [(row.look, row.contrast.seeds, row.decided, row.contrast.p_holm) for row in list_looks(comparison)]
    assert rows == [(1, 4, "significant", found.p), (None, 5, None, found.p)]
    plan = find_plan(read_events(log.path))
    assert plan is not None and [plan.look(ORDER[4], name) for name in ("epochs", "t0001")] == [1, 2]


def test_the_reference_may_diverge_at_seeds_that_a_decided_arm_was_not_given(log: Any) -> None:
    """They say nothing of the arm: what was decided stays, with its interval."""
    log.open(finalists=LOOKS, comparison=KEPT | {"smallest": 0.1})
    fill(log, {"epochs": 0.0, "t0001": 0.001, "t0002": 0.02}, 0, 5)
    found = judge_look(log.folder, ORDER[:5])
    assert found["t0001"].decided == "equivalent"
    logged = {"t0001": found["t0001"].to_json(), "t0002": {"p": 0.2}}
    log.event("look", number=1, seeds=5, arms=logged, reason=None)
    before = made(compare(log.folder))
    fill(log, {"t0002": 0.02}, 5, 8)
    fill(log, {"epochs": 0.0}, 5, 7)
    diverged = f"epochs-s{ORDER[7]}"
    log.ask(diverged, role="baseline", arm="epochs", seed=ORDER[7])
    log.event("failed", diverged, 1, reason="the loss is not finite", kind="diverged", log=None)
    comparison = compare(log.folder)
    assert made(comparison, "t0002").won == 1
    after = made(comparison)
    assert (after.won, after.seeds, after.is_equivalent) == (0, 5, True)
    assert after.difference == before.difference


def test_a_decision_that_more_arms_have_changed_is_told_as_what_it_was(log: Any) -> None:
    """Arms that join make the correction larger; arms that become significant make it smaller for the others."""
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.02, "t0002": 0.0}, 0, 5, noise=0.007, seed=2)
    found = judge_look(log.folder, ORDER[:5])["t0001"]
    assert found.decided == "significant" and found.p is not None and found.p > 0.01
    arms_then = {"t0001": {"decided": "significant"}, "t0002": {"decided": "futile"}}
    log.event("look", number=1, seeds=5, arms=arms_then, reason=None)
    assert has_note(compare(log.folder), "t0001 at 5 seeds (significant)")
    log.event("closed", finished=True)
    log.event("resumed")
    for number in range(3, 9):
        fill(log, {f"t000{number}": 0.0}, 0, 5, seed=number)
    comparison = compare(log.folder)
    assert not made(comparison).is_significant
    assert has_note(comparison, "Decided", "t0001 at 5 seeds (significant then, not any more)")
    assert has_note(comparison, "Warning", "arms 3 -> 9")


def test_a_search_that_has_ended_promises_no_further_look(log: Any) -> None:
    """As where an arm without evidence, or one that the study does not state any more, is never decided."""
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.05, "t0002": 0.0}, 0, 5)
    log.event("look", number=1, seeds=5, arms={"t0001": {"decided": "significant"}, "t0002": None}, reason=None)
    assert "look 1 of 3, at 5 seeds; the next is at 8 seeds" in compare(log.folder).verdict
    log.event("closed", finished=True)
    verdict = compare(log.folder).verdict
    assert "look 1 of 3, at 5 seeds" in verdict and "8 seeds" not in verdict


def test_the_verdict_names_equivalent_arms_beside_claims(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT | {"smallest": 0.05})
    fill(log, {"epochs": 0.0, "t0001": -0.2, "t0002": 0.0}, 0, 5)
    comparison = compare(log.folder)
    assert made(comparison, "t0002").is_equivalent
    assert "Equivalent within 0.050 nats per token, the smallest difference of interest: t0002." in comparison.verdict


def test_seeds_that_were_added_after_the_plan_are_judged_by_evidence_that_holds_at_any_time(log: Any) -> None:
    log.open(finalists={"seeds": 5}, comparison=KEPT)
    values = fill(log, {"epochs": 0.0, "t0001": -0.02}, 0, 10)
    comparison = compare(log.folder)
    expected = sequential_difference(values["t0001"] - values["epochs"], [1] * 5 + [2] * 5, Schedule((5,)), 1)
    assert made(comparison).difference.p == pytest.approx(expected.difference.p, rel=1e-6)
    assert has_note(comparison, "from the planned 5 to 10 seeds")
    assert "from the planned 5 to 10 seeds" in comparison.verdict
    assert "5.5%" not in comparison.verdict


def test_a_growing_study_never_loses_a_claim_that_its_planned_look_made(log: Any) -> None:
    log.open(finalists={"seeds": 5}, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.05}, 0, 5)
    before = made(compare(log.folder)).difference.p
    fill(log, {"epochs": 0.0, "t0001": 0.05}, 5, 7)
    assert made(compare(log.folder)).difference.p == pytest.approx(before)


def test_effects_are_judged_at_the_same_looks(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    random = {"sleep.replay.strategy": "random", "sleep.length.ratio": 1.0}
    for at in range(6):
        nll = 2.0 + 0.01 * at
        log.run("epochs", ORDER[at], nll, 0.9)
        log.run("slept", ORDER[at], nll - 0.1 + 0.002 * (-1) ** at, 0.9, role="arm", parameters=random)
        log.run("slept_matched", ORDER[at], nll - 0.03 + 0.001 * at, 0.9, role="arm", matched="slept")
    comparison = compare(log.folder)
    gain = next(gain for gain in comparison.gains if gain.endpoint == "test/nll")
    assert [effect.contrast.looks for effect in gain.rows] == [1, 1, 1]
    assert {effect.contrast.level for effect in gain.rows} == {made(comparison, "slept").level}
    found = [effect.contrast.difference for effect in gain.effects]
    assert sum(each.mean for each in found) == pytest.approx(gain.whole.contrast.difference.mean)
    differences = np.array([-0.03 + 0.001 * at for at in range(6)])
    expected = sequential_difference(differences, [1] * 5 + [2], Schedule((5, 8, 12)), 1).difference.p
    assert found[0].p == pytest.approx(expected, rel=1e-6)


def test_an_effect_says_which_seeds_it_lacks_because_an_arm_was_decided(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    random = {"sleep.replay.strategy": "random", "sleep.length.ratio": 1.0}
    for at in range(8):
        log.run("epochs", ORDER[at], 2.0 + 0.01 * at, 0.9)
        if at < 5:
            log.run("slept", ORDER[at], 1.9 + 0.012 * at, 0.9, role="arm", parameters=random)
            log.run("slept_matched", ORDER[at], 1.95 + 0.011 * at, 0.9, role="arm", matched="slept")
        if at == 4:
            found = {"slept": {"decided": "significant"}, "epochs": None}
            log.event("look", number=1, seeds=5, arms=found, reason=None)
    comparison = compare(log.folder)
    (text,) = gain_texts(comparison)
    left_out = "5, 77, 610 (slept was decided at 5 seeds and slept_matched was decided at 5 seeds)"
    assert [left_out in caveat for caveat in text.caveats] == [True]
    assert has_note(comparison, "Decided: slept at 5 seeds (significant).")


def test_a_diverged_seed_ranks_worst_at_each_look(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT | {"smallest": 0.5})
    values = fill(log, {"epochs": 0.0, "t0001": -0.05}, 0, 8)
    log.run("epochs", ORDER[8], 2.5, 0.9)
    log.ask("t0001-s300", role="finalist", arm="t0001", seed=300)
    log.event("failed", "t0001-s300", 1, reason="the loss is not finite", kind="diverged", log=None)
    for at in range(9, 12):
        log.run("epochs", ORDER[at], 2.5, 0.9)
        log.run("t0001", ORDER[at], 2.44 + 0.01 * at, 0.9, role="finalist")
    comparison = compare(log.folder)
    contrast, later = made(comparison), [2.44 + 0.01 * at - 2.5 for at in range(9, 12)]
    outcomes = [*(values["t0001"] - values["epochs"]), np.inf, *later]  # a worse value is a larger loss
    numbers = [1] * 5 + [2] * 3 + [3] * 4
    expected = sequential_difference(outcomes, numbers, Schedule((5, 8, 12)), 3, better=-1).difference.p
    assert contrast.difference.p == pytest.approx(expected, rel=1e-6)
    assert (contrast.looks, contrast.lost, contrast.seeds, contrast.p_equal) == (3, 1, 12, 1.0)
    assert "1 of 12 seeds" in comparison.verdict


def test_arms_of_other_experiments_have_one_look_each(log: Any, tmp_path: Path) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    values = fill(log, {"epochs": 0.0, "t0001": -0.01}, 0, 8)
    joined = Arm(
        name="other/t0009",
        kind="finalist",
        joined=True,
        seeds=ORDER[:8],
        values={"test/nll": dict(zip(ORDER, values["t0001"] + 0.001, strict=False))},
    )
    contrast = made(compare(log.folder, [joined]), "other/t0009")
    expected = scipy.stats.ttest_rel(values["t0001"] + 0.001, values["epochs"]).pvalue
    assert contrast.looks is None
    assert contrast.level == 0.045
    assert contrast.difference.p == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("effect", "noise", "smallest", "decided"),
    [(-0.05, 0.01, None, "significant"), (0.0, 0.001, 0.05, "equivalent"), (0.0, 0.01, None, "futile")],
)
def test_the_judge_decides_an_arm(log: Any, effect: float, noise: float, smallest: float | None, decided: str) -> None:
    log.open(finalists=LOOKS, comparison=KEPT | {"smallest": smallest})
    fill(log, {"epochs": 0.0, "t0001": effect}, 0, 5, noise=noise, seed=3)
    evidence = judge_look(log.folder, ORDER[:5])["t0001"]
    assert evidence.decided == decided
    comparison = compare(log.folder)
    assert evidence.p == made(comparison).p_holm
    assert (evidence.difference, evidence.low) == (made(comparison).difference.mean, made(comparison).difference.low)


def test_the_judge_leaves_open_what_more_seeds_may_decide(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": -0.009}, 0, 12, seed=3)
    first, last = judge_look(log.folder, ORDER[:5])["t0001"], judge_look(log.folder, ORDER)["t0001"]
    assert first.decided is None
    assert first.power is not None and first.power > 0.1
    assert last.power is None


@pytest.mark.parametrize("seed", range(5))
def test_judge_and_verdict_never_disagree(log: Any, seed: int) -> None:
    """Whatever was significant at a look is a claim of the table that is made then."""
    effects = {"epochs": 0.0, "as_epochs": 0.0, "t0001": -0.012, "t0002": 0.008, "t0003": 0.02}
    log.open(finalists=LOOKS, comparison=KEPT | {"smallest": 0.02})
    fill(log, effects, 0, 8, seed=seed)
    found, comparison = judge_look(log.folder, ORDER[:8]), compare(log.folder)
    for arm in found:
        assert (found[arm].decided == "significant") is made(comparison, arm).is_significant
        if found[arm].decided == "equivalent":
            assert made(comparison, arm).is_equivalent


def test_the_judge_needs_a_reference(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"t0001": 0.0}, 0, 5)
    with pytest.raises(DataError, match=r"epochs.*test nll"):
        judge_look(log.folder, ORDER[:5])


def test_equivalence_is_judged_at_looks_too(log: Any) -> None:
    log.open(finalists=LOOKS, comparison=KEPT | {"smallest": 0.02})
    values = fill(log, {"epochs": 0.0, "t0001": 0.001}, 0, 8)
    expected = sequential_equivalence(
        values["t0001"] - values["epochs"], [1] * 5 + [2] * 3, Schedule((5, 8, 12)), 2, 0.02
    )
    assert made(compare(log.folder)).p_equal == pytest.approx(expected, rel=1e-6)


def test_the_power_of_a_table_is_that_of_its_look(log: Any) -> None:
    """The first of three looks spends a part of the level, so that it detects larger differences only."""
    log.open(finalists=LOOKS, comparison=KEPT)
    fill(log, {"epochs": 0.0, "t0001": 0.0}, 0, 5)
    comparison = compare(log.folder)
    level = level_of_look(made(comparison), comparison.plan, 1)
    assert level == pytest.approx(0.045 * Schedule((5, 8, 12)).spent[0], rel=1e-3)
    assert level is not None
    least = detectable_difference(made(comparison).difference, level)
    assert has_note(comparison, "power", "5 seeds", f"test nll of {least:.3f}")


@pytest.mark.parametrize(("shape", "is_skewed"), [("skewed", True), ("normal", False)])
def test_a_note_warns_where_t_and_sign_flips_disagree(log: Any, shape: str, is_skewed: bool) -> None:
    differences = {"skewed": [0.1, 0.2, 0.1, 0.3, 0.2, 5.0], "normal": [0.1, 0.2, 0.12, 0.17, 0.15, 0.11]}[shape]
    log.open()
    for seed, difference in enumerate(differences):
        log.run("epochs", seed, 2.0, 0.9)
        log.run("t0001", seed, 2.0 + difference, 0.9, role="finalist")
    assert has_note(compare(log.folder), "Warning", "t0001", "skewed") is is_skewed
