"""Complete means that the marker is there."""

from pathlib import Path

import numpy as np
import pytest

from sleep_tune.training.checkpoint import complete, find_latest, make_attempt, remove_attempts, remove_older


def write(attempt: Path, updates: int, *, whole: bool = True) -> Path:
    folder = attempt / f"checkpoint-{updates}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"weights")
    if whole:
        complete(folder, {"order": np.arange(3), "words": 7}, {"seconds": 1.5})
    return folder


def test_what_was_put_in_comes_out(tmp_path: Path) -> None:
    folder = write(make_attempt(tmp_path), 12)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert (latest.folder, latest.updates, latest.state) == (folder, 12, {"seconds": 1.5})
    state = latest.stream_state()
    assert state["order"].tolist() == [0, 1, 2]
    assert int(state["words"]) == 7


def test_a_folder_without_a_marker_is_none(tmp_path: Path) -> None:
    first = make_attempt(tmp_path)
    write(first, 5)
    write(first, 9, whole=False)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.updates == 5


def test_the_furthest_of_all_attempts_is_taken(tmp_path: Path) -> None:
    """An attempt that was resumed from 8 and died before its first checkpoint must not send the run back to 4."""
    write(make_attempt(tmp_path), 8)
    write(make_attempt(tmp_path), 4)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.updates == 8


def test_of_equal_ones_the_last_attempts_is_taken(tmp_path: Path) -> None:
    write(make_attempt(tmp_path), 8)
    later = write(make_attempt(tmp_path), 8)
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.folder == later


@pytest.mark.parametrize("name", ["attempt-x", "checkpoint-3", "attempt-1/checkpoint-old"])
def test_other_folders_are_none_of_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir(parents=True)
    assert find_latest(tmp_path) is None
    assert find_latest(tmp_path / "absent") is None


def test_attempts_are_numbered_from_one(tmp_path: Path) -> None:
    assert [make_attempt(tmp_path).name for _ in range(3)] == ["attempt-1", "attempt-2", "attempt-3"]
    (tmp_path / "attempt-1").rmdir()
    assert make_attempt(tmp_path).name == "attempt-4"


def test_older_ones_are_removed_and_later_attempts_left_alone(tmp_path: Path) -> None:
    first, second, third = (make_attempt(tmp_path) for _ in range(3))
    write(first, 1)
    write(second, 2)
    kept = write(second, 3)
    write(third, 4)
    remove_older(kept)
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*"))
    assert left == ["attempt-2/checkpoint-3", "attempt-3/checkpoint-4"]


def test_all_are_removed_at_the_end(tmp_path: Path) -> None:
    write(make_attempt(tmp_path), 1)
    write(make_attempt(tmp_path), 2)
    (tmp_path / "model").mkdir()
    remove_attempts(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
