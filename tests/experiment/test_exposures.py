"""exposures.npz: written as a whole, read or refused."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.exposures import EXPOSURES, Exposures, read_exposures, write_exposures
from sleep_tune.experiment.run_folder import write_outcome
from sleep_tune.records import Outcome
from tests.messages import missing, raises_naming

COUNTS = np.array([3, 0, 40_000], np.int32)


def exposures(**changed: Any) -> Exposures:
    shared: dict[str, Any] = {"corpus": "c" * 64, "context": "keep", "budget_words": 10**9, "seed": 5}
    return Exposures(COUNTS, **shared | changed)


def ended(folder: Path, state: str) -> Path:
    """The folder of a run that ended so."""
    folder.mkdir(exist_ok=True)
    write_outcome(
        folder, Outcome(state=state, words_seen=1, updates=1, seconds=1.0, flops=1.0, device="cpu", metrics={})
    )
    return folder


def test_what_was_written_is_read(tmp_path: Path) -> None:
    write_exposures(ended(tmp_path, "completed"), exposures())
    there = read_exposures(tmp_path)
    assert there.times_seen.tolist() == COUNTS.tolist()
    assert there.times_seen.dtype == np.int32
    assert there.differences_from(exposures()) == ""
    assert there.digest() == exposures().digest()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("expo")] == [EXPOSURES]


def test_differences_are_named() -> None:
    other = exposures(corpus="d", context="repack", budget_words=7, seed=6)
    assert not missing(exposures().differences_from(other), "corpus|ccc|budget|1000000000|7|sleep.context|keep|repack")
    assert not missing(exposures().differences_from(exposures(seed=6)), "training.seed|5|6")
    shorter = dataclasses.replace(exposures(), times_seen=COUNTS[:2])
    assert not missing(exposures().differences_from(shorter), "samples|3|2"), "a file that was changed"


def test_only_completed_runs_have_exposures(tmp_path: Path) -> None:
    with raises_naming(RunFolderError, tmp_path / "none", "completed", "no such folder", "sleep.matched"):
        read_exposures(tmp_path / "none")
    with raises_naming(RunFolderError, tmp_path, "completed", "outcome.json", "sleep.matched"):
        read_exposures(tmp_path)
    with raises_naming(RunFolderError, tmp_path, "completed", "stopped", "sleep.matched"):
        read_exposures(ended(tmp_path, "stopped"))
    with raises_naming(RunFolderError, tmp_path, EXPOSURES, "sleep.matched"):
        read_exposures(ended(tmp_path, "completed"))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 half of one"])
def test_a_damaged_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (ended(tmp_path, "completed") / EXPOSURES).write_bytes(content)
    with raises_naming(RunFolderError, tmp_path / EXPOSURES, "sleep.matched"):
        read_exposures(tmp_path)
    with pytest.raises(RunFolderError, match=r"^(?!.*pickle)"):  # numpy's advice is to load it unsafely
        read_exposures(tmp_path)


@pytest.mark.parametrize("counts", [np.array([-1]), np.ones((2, 2), int), np.array([0.5])])
def test_counts_that_are_none_are_refused(counts: np.ndarray, tmp_path: Path) -> None:
    shared: dict[str, Any] = {"corpus": "c", "context": "keep", "budget_words": 1, "seed": 0}
    np.savez(ended(tmp_path, "completed") / EXPOSURES, times_seen=counts, **shared)
    with raises_naming(RunFolderError, EXPOSURES, "times_seen"):
        read_exposures(tmp_path)
