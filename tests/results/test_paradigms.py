"""Differences in each paradigm: those of the crossed design on its items alone, corrected, sorted, with chance."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.paradigms import ParadigmDifference, chance_level, compare_paradigms, tabulate_paradigms
from sleep_tune.results.table_files import write_tables
from sleep_tune.statistics.crossed_design import crossed_difference
from sleep_tune.statistics.fixed_sample import holm
from tests.results.conftest import SyntheticLog
from tests.results.report.searches import make_search

BLIMP = "babylm/blimp_fast"
NAMES = [f"paradigm_{number}" for number in range(6)]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    return compare(make_search(tmp_path_factory.mktemp("search") / "replay", 8, paradigms=NAMES).folder)


def answers(comparison: Comparison, arm: str, paradigm: str) -> np.ndarray:
    (found,) = (one for one in comparison.arms if one.name == arm)
    return np.array([table.xs(paradigm).to_numpy() for table in found.answers[BLIMP].values()])


def of_arm(comparison: Comparison, name: str) -> list[ParadigmDifference]:
    return [row for row in compare_paradigms(comparison) if row.arm == name]


def test_each_is_the_crossed_difference_on_its_own_items(comparison: Comparison) -> None:
    rows = of_arm(comparison, "t0003")
    assert {row.paradigm for row in rows} == {*NAMES}
    for row in rows:
        ours, theirs = answers(comparison, "t0003", row.paradigm), answers(comparison, "epochs", row.paradigm)
        assert row.difference == crossed_difference(ours, theirs, np.zeros(40, dtype=int))
        assert (row.items, row.score, row.baseline_score) == (40, ours.mean(), theirs.mean())


def test_they_are_sorted_and_corrected_within_an_arm_whose_finalists_come_first(comparison: Comparison) -> None:
    rows = compare_paradigms(comparison)
    assert list(dict.fromkeys(row.arm for row in rows)) == ["t0003", "as_epochs"]
    for arm in ("t0003", "as_epochs"):
        own = of_arm(comparison, arm)
        means = [row.difference.mean for row in own]
        assert means == sorted(means, reverse=True)
        assert [row.p_holm for row in own] == holm([row.difference.p or 0.0 for row in own])
        assert np.mean(means) == pytest.approx(
            next(one for one in comparison.arms if one.name == arm).contrasts[BLIMP].difference.mean
        )


def test_the_file_has_a_row_for_each(tmp_path: Path) -> None:
    folder = make_search(tmp_path / "replay", 8, paradigms=NAMES).folder
    table = tabulate_paradigms(compare_paradigms(write_tables(folder)))
    pd.testing.assert_frame_equal(pd.read_parquet(folder / "tables" / "paradigms.parquet"), table)
    assert len(table) == 2 * len(NAMES)
    assert (table["low"] <= table["difference"]).all()
    assert (table["chance"] == 50).all()


def write_items(log: SyntheticLog, run: str, correct: dict[str, list[float]]) -> float:
    """A run's answers to the toy language's pairs; return its accuracy."""
    place = log.folder / "trials" / run / "eval"
    place.mkdir(parents=True)
    rows = [("pairs", uid, at, value) for uid, values in correct.items() for at, value in enumerate(values)]
    pd.DataFrame(rows, columns=["task", "uid", "id", "correct"]).to_parquet(place / "items.parquet")
    return float(np.mean([np.mean(values) for values in correct.values()]))


def test_the_toy_languages_pairs_have_paradigms_and_chance_is_a_half(log: SyntheticLog) -> None:
    rng = np.random.default_rng(1)
    chances = {"epochs": {"easy": 0.6, "hard": 0.5, "lost": 0.9}, "t0001": {"easy": 0.95, "hard": 0.5, "lost": 0.5}}
    for arm, shares in chances.items():
        for seed in range(4):
            drawn = {uid: (rng.random(60) < share).astype(float).tolist() for uid, share in shares.items()}
            accuracy = write_items(log, f"{arm}-s{seed}", drawn)
            log.run(arm, seed, 4.0 + seed, accuracy, role="baseline" if arm == "epochs" else "finalist")
    easy, hard, lost = compare_paradigms(compare(log.folder))
    assert (easy.paradigm, easy.chance, easy.at_chance, easy.is_significant) == ("easy", 0.5, False, True)
    assert (hard.paradigm, hard.at_chance, hard.is_significant) == ("hard", True, False)
    assert (lost.paradigm, lost.at_chance, lost.is_significant) == ("lost", False, True)  # one arm is above chance
    assert 0.2 < easy.difference.mean < 0.5


def test_one_shared_seed_has_differences_without_tests_and_one_group_has_no_paradigms(log: SyntheticLog) -> None:
    for arm, share in (("epochs", 0.0), ("t0001", 1.0)):
        accuracy = write_items(log, f"{arm}-s0", {"a": [share, 0.0], "b": [1.0, 1.0]})
        log.run(arm, 0, 4.0, accuracy, role="baseline" if arm == "epochs" else "finalist")
    rows = compare_paradigms(compare(log.folder))
    assert [(row.paradigm, row.difference.mean, row.difference.low, row.p_holm) for row in rows] == [
        ("a", 0.5, None, None),
        ("b", 0.0, None, None),
    ]
    for arm in ("epochs", "t0001"):
        accuracy = write_items(log, f"{arm}-s1", {"a": [1.0, 0.0]})
        log.run(arm, 1, 4.0, accuracy, role="baseline" if arm == "epochs" else "finalist")
    assert compare_paradigms(compare(log.folder)) == []  # the runs did not answer the same items


def test_chance_is_known_for_the_tasks_that_have_one() -> None:
    levels = {"babylm/blimp_filtered": 50.0, "causal/babylm/entity_tracking": 20.0, "test/pairs_accuracy": 0.5}
    assert {key: chance_level(key) for key in levels} == levels
    assert chance_level("babylm/my_task") is None
