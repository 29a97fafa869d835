"""Answers item by item: a damaged eval/items.parquet is one error with its path, never a number in a table."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sleep_tune.errors import DataError
from sleep_tune.results.answers import FILE, read_answers


def items(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"task": "blimp_fast", "uid": "g", "id": ["g_0", "g_1"], "correct": [1.0, 0.0]} | columns)


def write(run: Path, table: pd.DataFrame) -> Path:
    (run / FILE).parent.mkdir()
    table.to_parquet(run / FILE)
    return run


def test_a_task_s_answers_are_in_percent_and_unanswered_items_are_left_out(tmp_path: Path) -> None:
    answers = read_answers(write(tmp_path, items(correct=[1.0, np.nan])))
    assert {key: list(row) for key, row in answers.items()} == {"babylm/blimp_fast": [100.0]}
    assert read_answers(tmp_path / "none") == {}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (items(correct=["yes", "no"]), "could not convert"),
        (items(correct=[1.0, np.inf]), r"must be in \[0, 1\]"),
        (items(correct=[100.0, 0.0]), r"must be in \[0, 1\]"),
        (items().drop(columns="uid"), "uid"),
    ],
)
def test_a_table_that_holds_other_things_is_refused(tmp_path: Path, table: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=rf"items\.parquet .*{message}"):
        read_answers(write(tmp_path, table))


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, items()) / FILE
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DataError, match=r"items\.parquet .*\(task, uid, id, correct\)"):
        read_answers(tmp_path)
