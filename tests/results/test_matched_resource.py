"""Matched on what: each entry of the table, what a sentence may say of it, and who is named as off."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.comparison import compare, compare_arms
from sleep_tune.results.matched_resource import RESOURCES, match_resource
from sleep_tune.statistics.fixed_sample import estimate_mean
from tests.results.conftest import SyntheticLog, has_note, outcome

ALL_COSTS = ("words_seen", "updates", "flops", "cpu_hours")


def arm(name: str, costs: dict[str, list[float]], *, kind: str = "finalist", nlls: tuple[float, ...] = ()) -> Arm:
    """An arm with so much of each cost at each seed."""
    number = max((len(values) for values in costs.values()), default=3)
    scores = nlls or tuple(2.0 + seed / 100 for seed in range(number))
    values = {key: dict(enumerate(found)) for key, found in costs.items()} | {"test/nll": dict(enumerate(scores))}
    return Arm(
        name=name,
        kind="baseline" if name == "epochs" else kind,
        parameters={},
        seeds=tuple(range(number)),
        unfinished=(),
        failures={},
        values=values,
        estimates={key: estimate_mean(list(found.values())) for key, found in values.items()},
    )


def equal(share: float = 1.0, number: int = 3) -> dict[str, list[float]]:
    """The same of everything at each seed; `share` of a million, over 1,000 updates."""
    return {key: [1_000.0 if key == "updates" else share * 1e6] * number for key in ALL_COSTS}


def table(*arms: Arm, matched: str) -> Comparison:
    return compare_arms(arms, Experiment(name="study", matched=matched))


@pytest.mark.parametrize("name", RESOURCES)
def test_arms_that_had_the_same_are_said_to(name: str) -> None:
    comparison = table(arm("epochs", equal()), arm("t0001", equal()), matched=name)
    assert comparison.notes[0].startswith(f"Matched on {RESOURCES[name].noun}: every run {RESOURCES[name].took} ")
    assert f" at the same {RESOURCES[name].same};" in comparison.verdict


@pytest.mark.parametrize("name", RESOURCES)
def test_an_arm_that_had_less_is_named_and_no_sentence_says_that_it_had_the_same(name: str) -> None:
    better = (1.90, 1.911, 1.92)
    arms = arm("epochs", equal()), arm("t0001", equal(0.7), nlls=better), arm("t0002", equal(), nlls=better)
    comparison = table(*arms, matched=name)
    less = "fewer" if name == "words" else "less"
    assert comparison.notes[0].startswith(f"Not matched on {RESOURCES[name].noun}: t0001 {RESOURCES[name].took} ")
    assert f", 30.0% {less} than epochs (" in comparison.notes[0]
    assert "t0002" not in comparison.notes[0]
    assert outcome(comparison) == "better"
    assert f"not at the same {RESOURCES[name].same}: t0001 {RESOURCES[name].took} 30.0% {less}" in comparison.verdict


@pytest.mark.parametrize("name", RESOURCES)
def test_what_is_not_known_is_not_claimed(name: str) -> None:
    better = (1.90, 1.911, 1.92)
    silent = arm("ours", {"updates": [1e3] * 3}, kind="elsewhere", nlls=better)
    comparison = table(arm("epochs", equal()), silent, matched=name)
    assert f"unknown whether at the same {RESOURCES[name].same}" in comparison.verdict
    assert "Matched" in comparison.notes[0]
    mute = table(arm("epochs", equal()), replace(silent, kind="control"), matched=name)
    assert has_note(mute, "Warning: ", RESOURCES[name].noun, "ours")


@given(
    st.sampled_from(sorted(RESOURCES)),
    st.lists(st.floats(0.5, 2.0), min_size=1, max_size=4),
    st.floats(1e3, 1e12),
)
def test_an_arm_is_off_by_its_share_alone_and_the_baseline_never(name: str, shares: list[float], scale: float) -> None:
    arms = [arm("epochs", equal(scale)), *(arm(f"t{at}", equal(scale * share)) for at, share in enumerate(shares))]
    found = match_resource(table(*arms, matched=name))
    allowed = max(RESOURCES[name].tolerance, 2 / 1000 * max(1.0, *shares))
    clear = {f"t{at}": abs(share - 1) for at, share in enumerate(shares) if abs(abs(share - 1) - allowed) > 1e-6}
    assert {key for key in found.off if key in clear} == {key for key, gap in clear.items() if gap > allowed}
    assert "epochs" not in found.off


def test_hours_are_those_of_the_baselines_device() -> None:
    gpu = {"gpu_hours": [2.0, 2.2], "words_seen": [1e6] * 2, "flops": [1e6] * 2}
    comparison = table(arm("epochs", gpu), arm("t0001", equal(1.0, 2)), matched="device_hours")
    found = match_resource(comparison)
    assert (found.key, found.unknown, found.off) == ("gpu_hours", ("t0001",), {})
    assert found.reference == pytest.approx(2.1)


def test_another_resource_may_be_chosen_for_a_table_and_is_named(log: SyntheticLog) -> None:
    log.open(comparison={"matched": "words"})
    for seed in (1, 2, 3):
        log.run("epochs", seed, 2.0 + seed / 100, 0.8)
        log.run("t0001", seed, 2.0 + seed / 90, 0.8, role="finalist", flops=4e13)
    assert compare(log.folder).notes[0].startswith("Matched on words seen: ")
    asked = compare(log.folder, matched="flops")
    for part in ("compute (FLOPs)", "words seen", "t0001 took 4.00e13 FLOPs, 100.0% more than epochs (2.00e13)"):
        assert part in asked.notes[0]
    assert "not at the same compute: t0001 took 100.0% more" in asked.verdict


def test_the_study_itself_may_name_compute(log: SyntheticLog) -> None:
    log.open(comparison={"matched": "flops"})
    log.run("epochs", 1, 2.0, 0.8)
    assert compare(log.folder).notes[0].startswith("Matched on compute (FLOPs): every run took 2.00e13 FLOPs; ")
