"""A process that was given up for dead and comes back changes nothing of the run that another has taken over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.data.prepare import Corpus
from sleep_tune.errors import Superseded
from sleep_tune.records import Decision, Progress
from sleep_tune.training.attempts import find_latest, make_attempt
from sleep_tune.training.run import train
from tests.training.runs import go_on, make_config, read_lines, weigh

ROOT = Path(__file__).parents[2]
RUNGS = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9)

FROZEN = """
import os, signal, sys
from pathlib import Path
from sleep_tune.errors import Superseded
from sleep_tune.records import Decision
from sleep_tune.training.run import train
from tests.training import runs

folder, where = Path(sys.argv[1]), sys.argv[2]

def freeze(place):
    if place == where:
        os.kill(os.getpid(), signal.SIGSTOP)

def report(progress):
    if progress.rung is not None and progress.rung == progress.budget_words:
        freeze("end")
    elif progress.rung is not None and progress.rung > 0.5 * progress.budget_words:
        freeze("rung")
    return Decision.PAUSE if progress.rung is not None and where == "save" else Decision.CONTINUE

def evaluate(model, split):
    freeze(split)
    return runs.weigh(model, split)

if where == "save":
    from transformers import Trainer
    save = Trainer._save_checkpoint
    def save_frozen(*arguments, **options):
        freeze("save")
        save(*arguments, **options)
    Trainer._save_checkpoint = save_frozen

ratio = 0 if where == "save" else 0.09
config = runs.make_config(folder, rungs=(0.15, 0.3, 0.45, 0.6, 0.75, 0.9), checkpoint_ratio=ratio)
if where == "beginning":
    from sleep_tune.training import run
    build = run.build_model
    def build_frozen(*arguments, **options):
        freeze("beginning")
        return build(*arguments, **options)
    run.build_model = build_frozen
try:
    train(config, report, evaluate=evaluate)
except Superseded:
    sys.exit(7)
"""


def content(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every file with its content and the time of its last change."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def wait_until_stopped(process: "subprocess.Popen[bytes]") -> None:
    for _ in range(3000):
        assert process.poll() is None
        state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")[2][0]
        if state == "T":
            return
        time.sleep(0.1)
    raise AssertionError("it never stopped")


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="sees that a process is stopped in /proc")
@pytest.mark.parametrize("where", ["beginning", "rung", "dev", "save", "test", "end"])
def test_a_process_that_comes_back_after_the_end_changes_nothing(where: str, corpus: Corpus, tmp_path: Path) -> None:
    """Two real processes: the first is stopped, the second runs to the end, the first goes on."""
    ratio = 0 if where == "save" else 0.09
    old = subprocess.Popen([sys.executable, "-c", FROZEN, str(tmp_path / "run"), where], cwd=ROOT)
    try:
        wait_until_stopped(old)
        config = make_config(tmp_path / "run", rungs=RUNGS, checkpoint_ratio=ratio)
        assert train(config, go_on, corpus=corpus, evaluate=weigh).state == "completed"
        before = content(tmp_path / "run")
        os.kill(old.pid, signal.SIGCONT)
        assert old.wait(timeout=120) == 7
    finally:
        old.kill()
        old.wait()
    assert content(tmp_path / "run") == before
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "eval",
        "metrics.jsonl",
        "model",
        "outcome.json",
    ]
    train(make_config(tmp_path / "whole", rungs=RUNGS, checkpoint_ratio=ratio), go_on, corpus=corpus, evaluate=weigh)
    assert read_lines(tmp_path / "run") == read_lines(tmp_path / "whole")


def taken_over(folder: Path, at: float) -> Callable[[Progress], Decision]:
    """Begin another attempt at a rung, as another process would."""

    def report(progress: Progress) -> Decision:
        if progress.rung is not None and progress.rung >= at * progress.budget_words:
            make_attempt(folder)
        return Decision.CONTINUE

    return report


@pytest.mark.slow
def test_it_unwinds_at_its_next_write(corpus: Corpus, tmp_path: Path) -> None:
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
    """Nothing is made anew where somebody has tidied up."""
    folder = tmp_path / "run"

    def report(progress: Progress) -> Decision:
        if progress.rung is not None:
            folder.rename(tmp_path / "gone")
        return Decision.CONTINUE

    with pytest.raises(Superseded):
        train(make_config(folder, rungs=(0.3,)), report, corpus=corpus, evaluate=weigh)
    assert not folder.exists()
