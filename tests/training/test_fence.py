"""A process that was presumed lost and comes back changes nothing in the run that another has taken over."""

import os
import signal
import sys
import time
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel, Trainer

from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import Superseded
from sleep_tune.records import Decision, Progress
from sleep_tune.training import run
from sleep_tune.training.attempts import find_latest, make_attempt
from sleep_tune.training.run import train
from tests.training.processes import start_process
from tests.training.runs import keep_training, make_config, read_lines, weigh

RUNGS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)


def train_until_frozen(folder: Path, where: str) -> None:
    """Train, and stand still at a place until SIGCONT; exit with 7 if another attempt has taken over by then."""

    def freeze(place: str) -> None:
        if place == where:
            os.kill(os.getpid(), signal.SIGSTOP)

    def frozen(place: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def freeze_first(*arguments: Any, **options: Any) -> Any:
            freeze(place)
            return function(*arguments, **options)

        return freeze_first

    def report(progress: Progress) -> Decision:
        if progress.rung is not None and progress.rung == progress.budget_words:
            freeze("end")
        elif progress.rung is not None and progress.rung > 0.5 * progress.budget_words:
            freeze("rung")
        return Decision.PAUSE if progress.rung is not None and where == "save" else Decision.CONTINUE

    def evaluate(model: PreTrainedModel, split: str) -> dict[str, float]:
        freeze(split)
        return weigh(model, split)

    saving: Any = Trainer
    saving._save_checkpoint = frozen("save", saving._save_checkpoint)
    beginning: Any = run
    beginning._train = frozen("beginning", beginning._train)
    beginning.make_first_model = frozen("preparing", beginning.make_first_model)
    try:
        train(make_config(folder, rungs=RUNGS, checkpoint_ratio=ratio_for(where)), report, evaluate=evaluate)
    except Superseded:
        sys.exit(7)


def ratio_for(where: str) -> float:
    """Only a run without other checkpoints is frozen as it saves the one of its pause."""
    return 0 if where == "save" else 0.09


@pytest.fixture(scope="module")
def whole(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    train(make_config(folder, rungs=RUNGS), keep_training, corpus=corpus, evaluate=weigh)
    return folder


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its content and the time of its last change."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def wait_until_stopped(process: ForkServerProcess) -> None:
    for _ in range(3000):
        assert process.is_alive()
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]
        if state == "T":
            return
        time.sleep(0.1)
    raise AssertionError("it never stopped")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="sees that a process is stopped in /proc")
@pytest.mark.parametrize("where", ["preparing", "beginning", "rung", "dev", "save", "test", "end"])
def test_a_process_that_comes_back_after_the_end_changes_nothing(
    where: str, whole: Path, corpus: Corpus, tmp_path: Path
) -> None:
    """Two real processes: the first is stopped, the second runs to its end, the first continues."""
    old = start_process(train_until_frozen, tmp_path / "run", where)
    try:
        wait_until_stopped(old)
        config = make_config(tmp_path / "run", rungs=RUNGS, checkpoint_ratio=ratio_for(where))
        assert train(config, keep_training, corpus=corpus, evaluate=weigh).state == "completed"
        before = content(tmp_path / "run")
        assert old.pid is not None
        os.kill(old.pid, signal.SIGCONT)
        old.join(timeout=120)
        assert old.exitcode == 7
    finally:
        old.kill()
        old.join()
    assert content(tmp_path / "run") == before
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "eval",
        "exposures.npz",
        "metrics.jsonl",
        "model",
        "outcome.json",
    ]
    assert read_lines(tmp_path / "run") == read_lines(whole)


def taken_over(folder: Path, at: float) -> Callable[[Progress], Decision]:
    """Begin another attempt at a rung, as another process would."""

    def report(progress: Progress) -> Decision:
        if progress.rung is not None and progress.rung >= at * progress.budget_words:
            make_attempt(folder)
        return Decision.CONTINUE

    return report


@pytest.mark.slow
def test_a_superseded_attempt_ends_at_its_next_write(corpus: Corpus, tmp_path: Path) -> None:
    config = make_config(tmp_path, rungs=(0.3,))
    with pytest.raises(Superseded, match=r"attempt-1 writes nothing more: another attempt"):
        train(config, taken_over(tmp_path, 0.3), corpus=corpus, evaluate=weigh)
    lines = read_lines(tmp_path)
    assert lines[-1]["kind"] == "eval"
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.updates <= lines[-1]["updates"]


@pytest.mark.slow
def test_a_run_whose_folder_was_removed_ends(corpus: Corpus, tmp_path: Path) -> None:
    """A folder that a user has removed is not made again."""
    folder = tmp_path / "run"

    def report(progress: Progress) -> Decision:
        if progress.rung is not None:
            folder.rename(tmp_path / "gone")
        return Decision.CONTINUE

    with pytest.raises(Superseded):
        train(make_config(folder, rungs=(0.3,)), report, corpus=corpus, evaluate=weigh)
    assert not folder.exists()
