"""metrics.jsonl: appended at once, trimmed on resume."""

from pathlib import Path

import pytest

from sleep_tune.errors import RunFolderError
from sleep_tune.files import read_json_lines
from sleep_tune.training.journal import Journal


def test_lines_are_there_at_once(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with Journal(path) as journal:
        journal.write("train", {"loss": 1.5})
        assert list(read_json_lines(path)) == [{"kind": "train", "loss": 1.5}]
        assert journal.content == path.read_bytes()


def test_a_source_named_with_half_a_character_is_written(tmp_path: Path) -> None:
    """As a file's name may have it, in an old encoding."""
    with Journal(tmp_path / "log") as journal:
        journal.write("sleep", {"sources": {"caf\udce9": 1}})
    assert list(read_json_lines(tmp_path / "log")) == [{"kind": "sleep", "sources": {"caf\udce9": 1}}]


def test_a_resumed_run_keeps_what_its_checkpoint_knew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with Journal(path) as journal:
        journal.write("train", {"updates": 1})
        known = bytes(journal.content)
        journal.write("train", {"updates": 2})
    with Journal(path, kept=known) as journal:
        assert journal.content == known
        journal.write("train", {"updates": 2})
    assert [line["updates"] for line in read_json_lines(path)] == [1, 2]


def test_a_run_from_the_beginning_keeps_nothing(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    for _ in range(2):
        with Journal(path) as journal:
            journal.write("train", {"updates": 1})
    assert len(list(read_json_lines(path))) == 1


def test_a_process_given_up_for_dead_writes_no_line_into_a_resumed_run(tmp_path: Path) -> None:
    """Workers outlive a killed search by seconds, while the next search has already resumed their run."""
    path = tmp_path / "metrics.jsonl"
    with Journal(path) as old:
        old.write("train", {"updates": 1})
        with Journal(path, kept=bytes(old.content)) as new:
            old.write("train", {"updates": 2})
            new.write("train", {"updates": 2})
    assert [line["updates"] for line in read_json_lines(path)] == [1, 2]


def test_one_that_does_not_write_leaves_no_file(tmp_path: Path) -> None:
    with Journal(tmp_path / "metrics.jsonl", writes=False) as journal:
        journal.write("train", {"updates": 1})
        assert not journal.content
    assert not list(tmp_path.iterdir())


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").mkdir()
    with pytest.raises(RunFolderError, match=r"metrics\.jsonl must be the file .* it is a folder: remove it"):
        Journal(tmp_path / "metrics.jsonl")
