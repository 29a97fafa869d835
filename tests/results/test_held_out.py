"""Items that chose the finalists: left out of the endpoint that judges them, by their text, for all arms or none."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from tests.results.conftest import SyntheticLog

FAST, FULL = "babylm/blimp_fast", "babylm/blimp_filtered"
GROUPS, WHOLE, PART = 3, 40, 10


def answers(rng: np.random.Generator, right: float, *, with_text: bool = True) -> pd.DataFrame:
    """Of a run: every item of the full task; the fast task has the last of each group, numbered anew."""
    rows: list[dict[str, Any]] = []
    for group in (f"g{number}" for number in range(GROUPS)):
        correct = (rng.random(WHOLE) < right).astype(float)
        for task, kept in (("blimp_filtered", range(WHOLE)), ("blimp_fast", range(WHOLE - PART, WHOLE))):
            for at, item in enumerate(kept):
                text = {"text": f"{group} {item}"} if with_text else {}
                rows.append({"task": task, "uid": group, "id": f"{group}_{at}", "correct": correct[item]} | text)
    return pd.DataFrame(rows)


def score(table: pd.DataFrame, task: str) -> float:
    return float(100 * table[table["task"] == task].groupby("uid")["correct"].mean().mean())


def run(log: SyntheticLog, arm: str, seed: int, table: pd.DataFrame | None, **scores: float) -> None:
    """A run that scored both tasks, and kept its answers if a table of them is given."""
    known = {} if table is None else {FAST: score(table, "blimp_fast"), FULL: score(table, "blimp_filtered")}
    role = "baseline" if arm == "epochs" else "finalist"
    log.run(arm, seed, 2.0, 0.8, role=role, metrics=known | {key.replace("_", "/", 1): v for key, v in scores.items()})
    if table is not None:
        folder = log.folder / "trials" / f"{arm}-s{seed}" / "eval"
        folder.mkdir(parents=True)
        table.to_parquet(folder / "items.parquet", index=False)


def study(log: SyntheticLog, objective: str = FAST, primary: str | None = FULL, **more: Any) -> None:
    log.open(objective={"metric": objective, "mode": "max"}, comparison={"primary": primary})
    rng = np.random.default_rng(0)
    for seed in range(4):
        for arm, right in (("epochs", 0.6), ("t0001", 0.9)):
            run(log, arm, seed, answers(rng, right, **more))


def note(comparison: Comparison) -> str:
    """The note on items that selected the finalists; empty where there is none."""
    return "\n".join(note for note in comparison.notes if "selected the finalists" in note)


def test_the_fast_items_are_left_out_of_scores_and_differences(log: SyntheticLog) -> None:
    study(log)
    comparison = compare(log.folder)
    assert note(comparison).startswith("Excluded from BLiMP: 30 of 120 items, those of blimp_fast,")
    assert "the other 90." in note(comparison)
    arm = comparison.arms[1]
    contrast = arm.contrasts[FULL]
    assert (contrast.items, contrast.groups) == (90, 3)
    table = pd.read_parquet(log.folder / "trials" / "t0001-s2" / "eval" / "items.parquet")
    rest = table[(table["task"] == "blimp_filtered") & ~table["id"].str.split("_").str[1].astype(int).ge(WHOLE - PART)]
    assert arm.values[FULL][2] == pytest.approx(score(rest, "blimp_filtered"))
    assert arm.estimates[FULL].mean == pytest.approx(np.mean(list(arm.values[FULL].values())))
    assert arm.values[FAST][2] == pytest.approx(score(table, "blimp_fast"))


def test_the_items_are_known_from_whoever_was_scored_on_them(log: SyntheticLog) -> None:
    """The baseline stands first and was not searched: it may never have been scored on the task that chose."""
    study(log)
    for seed in range(4):
        folder = log.folder / "trials" / f"epochs-s{seed}" / "eval" / "items.parquet"
        whole = pd.read_parquet(folder)
        whole[whole["task"] == "blimp_filtered"].to_parquet(folder, index=False)
    comparison = compare(log.folder)
    assert note(comparison).startswith("Excluded from BLiMP: 30 of 120 items")
    assert [arm.contrasts[FULL].items for arm in comparison.arms if arm.contrasts] == [90]


def test_answers_without_texts_cannot_be_matched_and_that_is_said(log: SyntheticLog) -> None:
    study(log, with_text=False)
    comparison = compare(log.folder)
    assert re.match(
        r"Warning: .*blimp_fast .*BLiMP.*cannot be excluded.*epochs, t0001 .*eval/items\.parquet", note(comparison)
    )
    assert comparison.arms[1].contrasts[FULL].items == 120


def test_an_arm_without_answers_keeps_the_items_in_for_all(log: SyntheticLog) -> None:
    study(log)
    for seed in range(4):
        run(log, "t0002", seed, None, babylm_blimp_filtered=70.0 + seed, babylm_blimp_fast=60.0)
    comparison = compare(log.folder)
    assert re.search(r"cannot be excluded, because t0002 ", note(comparison))
    assert comparison.arms[1].contrasts[FULL].items == 120


def test_a_score_that_is_no_mean_over_groups_is_left_as_it_is(log: SyntheticLog) -> None:
    study(log)
    run(log, "epochs", 9, answers(np.random.default_rng(9), 0.5), babylm_blimp_filtered=12.0)
    assert re.search(r"cannot be excluded.*mean over groups", note(compare(log.folder)))


def test_the_same_endpoint_twice_is_a_warning(log: SyntheticLog) -> None:
    study(log, primary=None)
    assert re.match(r"Warning: .*BLiMP fast .*comparison\.primary", note(compare(log.folder)))


def test_the_average_over_what_was_looked_at_is_a_warning(log: SyntheticLog) -> None:
    study(log, primary="babylm/macro")
    assert re.match(r"Warning: .*macro average.*comparison\.primary", note(compare(log.folder)))


def test_an_average_that_chose_is_taken_apart_into_its_tasks(log: SyntheticLog) -> None:
    study(log, objective="babylm/macro")
    assert note(compare(log.folder)).startswith("Excluded from BLiMP: 30 of 120 items, those of blimp_fast")


@pytest.mark.parametrize(("objective", "primary"), [("eval/nll", FULL), (FAST, "test/nll"), ("babylm/ewok_fast", FULL)])
def test_where_other_items_chose_nothing_is_left_out(log: SyntheticLog, objective: str, primary: str) -> None:
    study(log, objective=objective, primary=primary)
    comparison = compare(log.folder)
    assert note(comparison) == ""
    assert comparison.arms[1].contrasts[FULL].items == 120


def test_a_real_record_of_items_has_their_fingerprints(tmp_path: Path) -> None:
    """The layer that evaluates and this one agree on the column: an item is known again under another number."""
    from sleep_tune.evaluation.items import Item, TextOption
    from sleep_tune.evaluation.score_files import item_rows, write_items
    from sleep_tune.results.answers import read_answers

    cat, dog = (
        Item("g", f"g_{at}", (TextOption(f"a {name} sits"), TextOption(f"a {name} sit")))
        for at, name in enumerate("cd")
    )
    again = Item("g", "g_0", dog.options)
    scores = [np.array([0.0, -1.0])] * 2
    rows = item_rows("blimp_filtered", [cat, dog], scores) + item_rows("blimp_fast", [again], scores[:1])
    write_items(tmp_path / "eval" / "items.parquet", pd.DataFrame(rows))
    read = read_answers(tmp_path)
    texts = {key: list(row.index.get_level_values("text")) for key, row in read.items()}
    assert texts[FULL][1] == texts[FAST][0] != texts[FULL][0]
