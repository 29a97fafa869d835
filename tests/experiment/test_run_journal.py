"""A run's journal is read line by line, or refused with the line that is none."""

import json
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.errors import DataError
from sleep_tune.experiment.run_journal import CHECKS, NEEDED, find_mistake, read_journal_lines

LINES: dict[str, dict[str, Any]] = {
    "train": {"words_seen": 3, "loss": 2.5, "phase": "wake"},
    "sleep": {"cycle": 0, "sources": {"a": 1.0}, "exposures": [3, 0], "examples": None, "corpus": {"a": 1.0}},
    "eval": {"words_seen": 3, "split": "dev", "metrics": {"eval/nll": float("nan")}},
    "of another version": {},
}


@pytest.mark.parametrize("kind", LINES)
def test_a_line_holds_what_it_must(kind: str) -> None:
    line = {"kind": kind} | LINES[kind]
    assert find_mistake(line) is None
    for key in NEEDED.get(kind, ()):
        assert find_mistake({k: v for k, v in line.items() if k != key}) == f"'{key}' is missing"


@pytest.mark.parametrize("key", CHECKS)
def test_no_value_may_be_of_another_type(key: str) -> None:
    for odd in ({"x": "y"}, [-1], True):
        assert find_mistake({"kind": "x"} | {key: odd}) == f"'{key}' cannot be {odd!r}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"kind":"train","words_seen":"3"}', r":2 is no line .*'words_seen' cannot be '3'"),
        ('{"kind":"train","loss":1}', r":2 is no line .*'words_seen' is missing"),
        ('{"words_seen":3}', "'kind' is missing"),
        ("[1]", ":2: expected a JSON object"),
        ("[" * 100_000, ":2: expected a JSON object"),
        ("", ":2: expected a JSON object"),
    ],
)
def test_the_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    good = json.dumps({"kind": "train"} | LINES["train"])
    (tmp_path / "metrics.jsonl").write_text(f"{good}\n{line}\n{good}\n")
    with pytest.raises(DataError, match=message):
        list(read_journal_lines(tmp_path / "metrics.jsonl"))


def test_a_torn_line_is_left_out(tmp_path: Path) -> None:
    good = json.dumps({"kind": "train"} | LINES["train"])
    (tmp_path / "metrics.jsonl").write_text(f"{good}\n{good[:9]}")
    assert len(list(read_journal_lines(tmp_path / "metrics.jsonl"))) == 1
