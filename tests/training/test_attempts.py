"""Attempts of a run and their checkpoints: which one is complete, which is resumed, which is removed."""

import os
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.training.attempts import (
    find_latest,
    is_writer,
    make_attempt,
    record_origin,
    remove_attempts,
    remove_older,
    remove_unfinished,
)
from sleep_tune.training.checkpoint import MARKER, complete_checkpoint


def write(attempt: Path, updates: int, *, whole: bool = True) -> Path:
    folder = attempt / f"checkpoint-{updates}"
    folder.mkdir(parents=True)
    for name in ("model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json"):
        (folder / name).write_bytes(b"state")
    if whole:
        complete_checkpoint(folder, {"order": np.arange(3), "words": 7}, {"seconds": 1.5}, b"line\n")
    return folder


def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    folder = write(make_attempt(tmp_path), 12)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert (latest.folder, latest.updates, latest.state) == (folder, 12, {"seconds": 1.5})
    state = latest.stream_state()
    assert state["order"].tolist() == [0, 1, 2]
    assert int(state["words"]) == 7
    assert latest.journal() == b"line\n"


def test_the_marker_is_written_once_the_disk_has_everything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may keep a later file and lose an earlier one, unless the earlier one was waited for."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_ino))
    folder = write(make_attempt(tmp_path), 12)
    files = {path.name: path.stat().st_ino for path in folder.iterdir()}
    marked = synced.index(files.pop(MARKER))
    assert set(files.values()) | {folder.stat().st_ino} <= set(synced[:marked])
    assert folder.parent.stat().st_ino in synced[marked:]


def test_a_folder_without_a_marker_is_none(tmp_path: Path) -> None:
    first = make_attempt(tmp_path)
    write(first, 5)
    write(first, 9, whole=False)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.updates == 5


def test_the_furthest_by_number_is_taken(tmp_path: Path) -> None:
    attempt = make_attempt(tmp_path)
    write(attempt, 9)
    furthest = write(attempt, 10)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.folder == furthest


def test_an_attempt_that_died_before_its_first_checkpoint_sends_the_run_back_to_its_origin(tmp_path: Path) -> None:
    """What an older attempt that was presumed lost completes afterwards is not part of the run that was resumed."""
    first = make_attempt(tmp_path)
    origin = write(first, 4)
    second = make_attempt(tmp_path)
    record_origin(second, find_latest(tmp_path))
    write(first, 8)
    make_attempt(tmp_path)  # died before it had recorded its origin
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.folder == origin
    write(second, 6)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.updates == 6


def test_an_attempt_that_began_at_the_beginning_sends_the_run_back_there(tmp_path: Path) -> None:
    first = make_attempt(tmp_path)
    record_origin(make_attempt(tmp_path), None)
    write(first, 8)
    assert find_latest(tmp_path) is None


def test_an_origin_that_was_removed_is_none(tmp_path: Path) -> None:
    first = make_attempt(tmp_path)
    origin = write(first, 4)
    record_origin(make_attempt(tmp_path), find_latest(tmp_path))
    (origin / "complete.json").unlink()
    write(first, 2)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.updates == 2


def test_one_attempt_writes_at_a_time(tmp_path: Path) -> None:
    first = make_attempt(tmp_path)
    assert is_writer(first)
    second = make_attempt(tmp_path)
    assert not is_writer(first)
    assert is_writer(second)
    remove_attempts(tmp_path)
    assert not is_writer(second)


def test_what_was_being_written_is_removed_and_complete_checkpoints_stay(tmp_path: Path) -> None:
    attempt = tmp_path / "attempt-1"
    write(attempt, 3, whole=False)
    (attempt / "model").mkdir()
    remove_unfinished(attempt)
    assert not attempt.exists()
    kept = write(attempt, 3)
    write(attempt, 5, whole=False)
    remove_unfinished(attempt)
    assert list(attempt.iterdir()) == [kept]


@pytest.mark.parametrize("name", ["attempt-x", "checkpoint-3", "attempt-1/checkpoint-old"])
def test_other_folders_are_none_of_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir(parents=True)
    assert find_latest(tmp_path) is None
    assert find_latest(tmp_path / "absent") is None


def test_attempts_are_numbered_from_one(tmp_path: Path) -> None:
    assert [make_attempt(tmp_path).name for _ in range(3)] == ["attempt-1", "attempt-2", "attempt-3"]
    (tmp_path / "attempt-1").rmdir()
    assert make_attempt(tmp_path).name == "attempt-4"


def left(run: Path) -> list[str]:
    return sorted(str(path.relative_to(run)) for path in run.glob("*/checkpoint-*"))


def test_the_last_two_stay_and_later_attempts_are_left_alone(tmp_path: Path) -> None:
    first, second, third = (make_attempt(tmp_path) for _ in range(3))
    write(first, 1)
    for updates in (2, 3, 4):
        latest = write(second, updates)
    write(third, 5)
    remove_older(latest)
    assert left(tmp_path) == ["attempt-2/checkpoint-3", "attempt-2/checkpoint-4", "attempt-3/checkpoint-5"]
    assert not first.exists()


def test_the_one_that_an_attempt_resumed_from_stays_until_it_has_two_of_its_own(tmp_path: Path) -> None:
    """What the earlier attempt, presumed lost, has completed since does not count as the one before."""
    first = make_attempt(tmp_path)
    write(first, 1)
    write(first, 4)
    second = make_attempt(tmp_path)
    record_origin(second, find_latest(tmp_path))
    write(first, 5)
    remove_older(write(second, 6))
    assert left(tmp_path) == ["attempt-1/checkpoint-4", "attempt-2/checkpoint-6"]
    remove_older(write(second, 8))
    assert left(tmp_path) == ["attempt-2/checkpoint-6", "attempt-2/checkpoint-8"]


def test_a_run_goes_back_beyond_an_origin_that_was_damaged_since(tmp_path: Path) -> None:
    first = make_attempt(tmp_path)
    earlier = write(first, 1)
    origin = write(first, 4)
    record_origin(make_attempt(tmp_path), find_latest(tmp_path))
    write(first, 5)
    (origin / "optimizer.pt").write_bytes(b"other")
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.folder == earlier


def test_one_that_was_never_completed_is_not_passed_over_in_silence(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(make_attempt(tmp_path), 3, whole=False)
    assert find_latest(tmp_path) is None
    assert f"{folder} has no complete.json" in caplog.text


def test_all_are_removed_at_the_end(tmp_path: Path) -> None:
    write(make_attempt(tmp_path), 1)
    write(make_attempt(tmp_path), 2)
    (tmp_path / "model").mkdir()
    remove_attempts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
