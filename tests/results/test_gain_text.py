"""What is said of the parts of a difference: which are significant, in which direction, and what is missing."""

import functools
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
import yaml

from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.gain_sheet import gain_sheet
from sleep_tune.results.gain_text import TITLE, gain_notes, gain_statistics, gain_texts
from sleep_tune.results.markup import DOCUMENTS
from sleep_tune.results.missing_controls import MissingControls, find_missing
from sleep_tune.results.table_files import tidy, write_tables
from tests.messages import missing
from tests.results.conftest import SyntheticLog
from tests.results.test_gain import EPOCHS, NLL, SEEDS, SLEEP, TWIN

EVERY = ("sharp", "chance", "sharp_same", "chance_same")
NOISE = (0.004, -0.006, 0.001, 0.005, -0.003, 0.002)
"""Of each seed; arms have it in other orders, so that no difference is constant."""


def study(
    log: SyntheticLog,
    effects: Sequence[float] = (-0.1, 0.0, 0.2),
    *,
    arms: Sequence[str] = EVERY,
    seeds: Sequence[int] = SEEDS,
    size: float = 1.0,
    **space: Any,
) -> Comparison:
    """An experiment with these effects (exposure, selection, order) on the loss, and one percent of each on pairs."""
    log.open(**{"comparison": {"reference": "plain"}} | space)
    exposure, selection, order = effects
    levels = {
        "plain": (0.0, EPOCHS, None),
        "sharp": (exposure + selection + order, SLEEP, None),
        "chance": (exposure + order, TWIN, None),
        "sharp_same": (exposure + selection, SLEEP, "sharp"),
        "chance_same": (exposure, TWIN, "chance"),
    }
    for at, (name, (level, parameters, parent)) in enumerate(levels.items()):
        for place, seed in enumerate(seeds if name in ("plain", *arms) else ()):
            nll = 3.0 + level + size * NOISE[(place + at) % len(NOISE)] + place / 10
            more = {} if parent is None else {"matched": parent}
            log.run(name, seed, nll, 0.9 - nll / 10, role="arm", parameters=parameters, **more)
    return compare(log.folder)


def sentences(comparison: Comparison) -> list[str]:
    return list(gain_texts(comparison)[0].sentences)


def test_each_effect_is_said_with_its_numbers_and_its_direction(log: SyntheticLog) -> None:
    """A lower loss is better: exposure helps, order harms, and selection is not significant."""
    summary, exposure, selection, order, conclusion = sentences(study(log))
    assert not missing(summary, "sharp|plain|test nll|+0.10|nats per token|5 seeds|lower is better")
    assert not missing(summary, "= exposure (-0.1|+ selection (|+ order (+0.")
    assert not missing(exposure, "at random|-0.1|significantly better|Holm p")
    assert not missing(selection, "not at random|not significant with 5 seeds|Holm p")
    assert not missing(order, "when samples|+0.2|significantly worse")
    assert not missing(conclusion, "three|exposure (better) and order (worse) are significant|selection is not|5 seeds")


def test_the_direction_is_that_of_the_endpoint(log: SyntheticLog) -> None:
    summary, exposure, _, order, _ = sentences(
        study(log, comparison={"reference": "plain", "primary": "test/pairs_accuracy"})
    )
    assert not missing(summary, "higher is better|-1.0")
    assert not missing(exposure, "+1.0|points|significantly better")
    assert not missing(order, "-2.0|significantly worse")


def test_where_nothing_is_significant_it_says_so_of_the_parts_and_of_the_whole(log: SyntheticLog) -> None:
    comparison = study(log, (0.0, 0.0, 0.0))
    assert not missing(sentences(comparison)[-1], "None of the three|5 seeds|does not show|whole")
    assert "Neither of the two" in gain_texts(comparison)[1].conclusion


def test_an_interval_without_0_that_is_no_claim_after_correction_is_called_that(log: SyntheticLog) -> None:
    comparison = study(log, (-0.011, 0.0, 0.2))
    gain = comparison.gains[0]
    made = gain.effects[0].contrast
    assert made.difference.p is not None
    assert made.p_holm is not None
    assert made.difference.p < 0.05 < made.p_holm
    assert not missing(sentences(comparison)[1], f"excludes 0|one of {gain.tests} tests|not significant")


def test_one_seed_tests_nothing(log: SyntheticLog) -> None:
    comparison = study(log, seeds=SEEDS[:1])
    assert not missing(sentences(comparison)[-1], "One seed|variation between seeds")
    assert "significantly" not in " ".join(sentences(comparison))


def test_seeds_that_are_left_out_are_named_with_the_reason(log: SyntheticLog) -> None:
    study(log)
    log.ask("sharp-s21", role="arm", arm="sharp", seed=21, parameters=SLEEP)
    log.ask("sharp_same-s22", role="arm", arm="sharp_same", seed=22, parameters=SLEEP, matched="sharp-s21")
    log.event("failed", "sharp-s21", 1, kind="diverged", reason="the loss is not finite", log=None)
    said = sentences(compare(log.folder))
    assert any(not missing(one, "seed 21|sharp diverged") for one in said)
    assert any(not missing(one, "seed 22|sharp_same has not ended") for one in said)
    (order,) = (one for one in said if one.startswith("Order"))
    assert not missing(order, "significantly worse|1 more seed")
    assert "[" not in order


def test_the_whole_counts_seeds_that_diverged_where_nothing_is_significant(log: SyntheticLog) -> None:
    """Over the seeds that survived, the whole is significant, and no part is."""
    study(log, (-0.004, -0.004, -0.004))
    (gain, _) = (one for one in compare(log.folder).gains if one.endpoint == NLL)
    assert gain.whole.contrast.difference.p is not None
    assert gain.whole.contrast.difference.p < 0.05
    assert not any("Nor is the whole" in one for one in sentences(compare(log.folder)))
    log.ask("sharp-s21", role="arm", arm="sharp", seed=21, parameters=SLEEP)
    log.event("failed", "sharp-s21", 1, kind="diverged", reason="the loss is not finite", log=None)
    assert any("Nor is the whole" in one for one in sentences(compare(log.folder)))


def test_other_settings_of_the_reference_are_named_as_part_of_exposure(log: SyntheticLog) -> None:
    log.open(comparison={"reference": "plain"})
    tuned = {"training.learning_rate": 0.01}
    for seed in SEEDS[:3]:
        for name, parameters, more in (
            ("plain", EPOCHS, {}),
            ("sharp", SLEEP | tuned, {}),
            ("same", SLEEP | tuned, {"matched": "sharp"}),
        ):
            log.run(name, seed, 3.0 + seed % len(name), 0.5, role="arm", parameters=parameters, **more)
    (warning,) = (one for one in sentences(compare(log.folder)) if one.startswith("Warning"))
    assert not missing(warning, "sharp|plain|learning_rate|exposure and selection")


def test_what_acts_asleep_alone_is_named_as_part_of_order_and_rows_cut_anew_as_part_of_both(log: SyntheticLog) -> None:
    log.open(comparison={"reference": "plain"})
    special = SLEEP | {"sleep.shrink.factor": 0.95, "sleep.learning_rate": 1.0, "sleep.context": "repack"}
    for seed in SEEDS[:3]:
        log.run("plain", seed, 3.0 + seed % 2, 0.5, role="arm", parameters=EPOCHS)
        log.run("sharp", seed, 3.0 + seed % 3, 0.5, role="arm", parameters=special)
        log.run("same", seed, 3.0 + seed % 4, 0.5, role="arm", parameters=special, matched="sharp")
    said = sentences(compare(log.folder))
    assert any(not missing(one, "sleep.shrink.factor|part of order") for one in said)
    assert any(not missing(one, "sleep.context|exposure and selection|order") for one in said)
    assert not any("learning_rate" in one for one in said)


@pytest.mark.parametrize(
    ("arms", "added"),
    [
        (("sharp",), {
            "sharp_matched": {"matched": "sharp"},
            "sharp_random": {"like": "sharp", "sleep.replay.strategy": "random"},
            "sharp_random_matched": {"matched": "sharp_random"},
        }),
        (("sharp", "chance", "sharp_same"), {"chance_matched": {"matched": "chance"}}),
        (("sharp", "chance", "chance_same"), {"sharp_matched": {"matched": "sharp"}}),
    ],
)  # fmt: skip
def test_the_lines_of_a_space_that_add_what_is_missing(
    log: SyntheticLog, arms: tuple[str, ...], added: dict[str, Any]
) -> None:
    found = find_missing(study(log, arms=arms))
    assert yaml.safe_load(found.lines) == {"arms": added}
    assert any("sharp" in reason for reason in found.reasons)


def test_arms_that_differ_in_strategy_only_need_one_twin(log: SyntheticLog) -> None:
    study(log, arms=("sharp",))
    for seed in SEEDS:
        parameters = SLEEP | {"sleep.replay.strategy": "strict", "sleep.replay.decay": 0.3}
        log.run("strict", seed, 3.0, 0.5, role="arm", parameters=parameters)
    added = yaml.safe_load(find_missing(compare(log.folder)).lines)["arms"]
    assert [name for name, arm in added.items() if "like" in arm] == ["sharp_random"]
    assert "strict_matched" in added


def test_what_is_missing_for_a_finalist_is_named_for_the_best(log: SyntheticLog) -> None:
    log.open()
    for seed in SEEDS:
        log.run("epochs", seed, 3.0, 0.5)
        for name in ("t0007", "t0009"):
            log.run(name, seed, 3.0 + seed, 0.5, role="finalist", parameters={"sleep.folds": int(name[1:])})
    found = find_missing(compare(log.folder))
    assert yaml.safe_load(found.lines)["arms"]["best_matched"] == {"matched": "best"}
    assert len(found.reasons) == 1
    assert "t0007" in found.reasons[0]


def test_arms_that_have_not_started_are_named_instead_of_lines_that_add_them_again(log: SyntheticLog) -> None:
    log.open(comparison={"reference": "plain"}, arms={"plain": EPOCHS, "sharp": SLEEP, "later": {"matched": "sharp"}})
    log.run("plain", 1, 3.0, 0.5, role="arm", parameters=EPOCHS)
    log.run("sharp", 1, 2.0, 0.5, role="arm", parameters=SLEEP)
    found = find_missing(compare(log.folder))
    assert found.lines == ""
    assert not missing(" ".join(found.reasons), "sharp|later")


def test_a_finalist_of_an_earlier_version_is_trained_again_for_its_controls(log: SyntheticLog) -> None:
    log.open()
    keep(log, "epochs", EPOCHS, role="baseline")
    keep(log, "t0007", SLEEP, role="finalist")
    found = find_missing(compare(log.folder))
    assert yaml.safe_load(found.lines)["arms"] == {
        "best_again": {"like": "best"},
        "best_again_matched": {"matched": "best_again"},
        "best_again_random": {"like": "best_again", "sleep.replay.strategy": "random"},
        "best_again_random_matched": {"matched": "best_again_random"},
    }
    assert not missing(found.reasons[0], "t0007|earlier version")
    keep(log, "best_again", SLEEP, role="arm", exposures=True)
    for name, parameters, parent in (
        ("best_again_matched", SLEEP, "best_again"),
        ("best_again_random", TWIN, None),
        ("best_again_random_matched", TWIN, "best_again_random"),
    ):
        keep(log, name, parameters, role="arm", exposures=True, **({} if parent is None else {"matched": parent}))
    assert find_missing(compare(log.folder)) == MissingControls((), {})


def keep(log: SyntheticLog, name: str, parameters: dict[str, Any], *, exposures: bool = False, **more: Any) -> None:
    """Runs that kept their configurations, and their exposures unless an earlier version trained them."""
    for place, seed in enumerate(SEEDS):
        log.run(name, seed, 3.0 + NOISE[(place + len(name)) % len(NOISE)], 0.5, parameters=parameters, **more)
        folder = log.folder / "trials" / f"{name}-s{seed}"
        folder.mkdir(parents=True)
        config: dict[str, Any] = {"sleep": {"replay": {}, "length": {}}, "training": {"seed": seed}}
        for key, value in parameters.items():
            *sections, last = key.split(".")
            functools.reduce(dict.__getitem__, sections, config)[last] = value
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        if exposures:
            (folder / "exposures.npz").write_bytes(b"not read here")


def test_nothing_is_missing_where_every_control_is_there_and_a_sleeping_reference_is_named(log: SyntheticLog) -> None:
    assert find_missing(study(log)).reasons == ()
    sleeping = compare(log.folder, baseline="chance")
    assert not missing(find_missing(sleeping).reasons[0], "chance|comparison.reference")
    control = compare(log.folder, baseline="sharp_same")
    assert not missing(find_missing(control).reasons[0], "sharp_same|of sharp|comparison.reference")


def test_controls_without_results_are_named(log: SyntheticLog) -> None:
    study(log, arms=EVERY[:2])
    for parent in ("sharp", "chance"):
        for seed in SEEDS:
            trial = f"{parent}_same-s{seed}"
            log.ask(trial, role="arm", arm=f"{parent}_same", seed=seed, matched=f"{parent}-s{seed}")
    found = find_missing(compare(log.folder))
    assert found.lines == ""
    assert not missing(" ".join(found.reasons), "sharp_same has no result|chance_same has no result")


def test_tables_in_every_format_have_the_effects_and_an_experiment_without_controls_has_none(
    log: SyntheticLog,
) -> None:
    study(log)
    comparison = write_tables(log.folder)
    sheet = gain_sheet(comparison)
    assert sheet is not None
    assert [row[1].text for row in sheet.rows][:4] == ["exposure", "selection", "order", "the whole"]
    assert [row[3].claim for row in sheet.rows][:4] == ["better", None, "worse", None]
    for suffix, document in DOCUMENTS.items():
        text = (log.folder / "tables" / f"comparison.{suffix}").read_text()
        assert text == document(comparison)
        assert not missing(text, f"{TITLE}|exposure|the whole")
    kept = pd.read_parquet(log.folder / "tables" / "gain.parquet")
    whole = dict.fromkeys(("seeds", "items", "tests", "diverged"), "Int64")
    written = pd.read_csv(log.folder / "tables" / "gain.csv", dtype=whole)
    pd.testing.assert_frame_equal(written, kept, check_dtype=False, rtol=1e-12)
    own = kept[(kept["arm"] == "sharp") & (kept["metric"] == NLL)].set_index("effect")
    assert list(own.index) == ["exposure", "selection", "order", "whole"]
    assert own["difference"][["exposure", "selection", "order"]].sum() == pytest.approx(own["difference"]["whole"])
    assert len(tidy(comparison)) == len(comparison.arms) * len(comparison.metrics)


def test_an_experiment_without_controls_has_no_word_on_them_in_its_tables(log: SyntheticLog) -> None:
    log.open()
    for seed in SEEDS:
        log.run("epochs", seed, 3.0 + seed % 3, 0.5)
        log.run("t0007", seed, 3.0 + seed % 2, 0.5, role="finalist", parameters={"sleep.folds": 5})
    comparison = write_tables(log.folder)
    assert gain_sheet(comparison) is None
    assert list(gain_notes(comparison)) == []
    assert not any(TITLE in document(comparison) for document in DOCUMENTS.values())
    assert not (log.folder / "tables" / "gain.csv").exists()


def test_a_single_seed_has_no_intervals_and_no_tests_to_explain(log: SyntheticLog) -> None:
    text = gain_statistics(study(log, seeds=(11,)))
    assert "Holm" not in text
    assert "Intervals" not in text
