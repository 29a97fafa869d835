"""When a run saves: at its first hundredth, at shares of its budget, and by the clock, at a bounded cost."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.prepare import Corpus
from sleep_tune.training import checkpoint_saver, heartbeat
from sleep_tune.training.attempts import find_latest
from sleep_tune.training.checkpoint import complete_checkpoint
from sleep_tune.training.checkpoint_saver import FIRST_SECONDS, SAVING_SHARE, CheckpointClock
from sleep_tune.training.run import train
from tests.training.runs import keep_training, make_config, weigh


class Clock:
    """A clock whose seconds are set by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.seconds


@given(
    minutes=st.floats(0.01, 30),
    writes=st.lists(st.floats(0.001, 60), min_size=1, max_size=20),
    update=st.floats(0.01, 5),
)
def test_the_clock_bounds_what_is_lost_and_what_saving_costs(
    minutes: float, writes: list[float], update: float
) -> None:
    now = Clock()
    clock = CheckpointClock(minutes, now)
    step = max(update, minutes / 50)
    late = step + 1e-6  # sums of steps are rounded
    trained: list[float] = []
    for write in writes:
        begun = now.seconds
        while not clock.due():
            now.seconds += step
        trained.append(now.seconds - begun)
        clock.begin()
        now.seconds += write
        clock.end()
        assert not clock.due()
    assert trained[0] == pytest.approx(min(FIRST_SECONDS, 60 * minutes), abs=late)
    for before, after in zip(writes, trained[1:], strict=False):
        assert after == pytest.approx(max(60 * minutes, before / SAVING_SHARE), abs=late)
        assert before <= 1.01 * SAVING_SHARE * after


def test_without_minutes_the_clock_never_asks() -> None:
    now = Clock()
    clock = CheckpointClock(None, now)
    now.seconds += 1e9
    assert not clock.due()


def saved(folder: Path, corpus: Corpus, monkeypatch: pytest.MonkeyPatch, **training: Any) -> list[float]:
    """The shares of its budget at which a run was saved."""
    shares: list[float] = []

    def complete(folder: Path, stream: Mapping[str, Any], *others: Any) -> None:
        shares.append(stream["words_seen"] / budget)
        real(folder, stream, *others)

    real = complete_checkpoint
    budget = int(3.5 * corpus.train.num_words)
    monkeypatch.setattr(checkpoint_saver, "complete_checkpoint", complete)
    train(make_config(folder, **training), keep_training, corpus=corpus, evaluate=weigh)
    return shares


@pytest.mark.slow
def test_the_first_checkpoint_comes_at_a_hundredth_of_the_budget(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of 1,208,340 words that was killed at 8% had nothing to resume."""
    first, *later = saved(tmp_path, corpus, monkeypatch, checkpoint_ratio=0.25)
    assert 0.01 <= first < 0.05
    assert [int(4 * share) for share in later] == [1, 2, 3]


@pytest.mark.slow
def test_the_clock_saves_between_shares_if_that_is_cheap(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint_saver, "SAVING_SHARE", 1e9)
    shares = saved(tmp_path / "often", corpus, monkeypatch, checkpoint_ratio=1.0, checkpoint_minutes=1e-9)
    assert len(shares) > 40
    monkeypatch.setattr(checkpoint_saver, "SAVING_SHARE", 1e-9)
    assert len(saved(tmp_path / "dear", corpus, monkeypatch, checkpoint_ratio=1.0, checkpoint_minutes=1e-9)) == 1


@pytest.mark.slow
def test_a_ratio_of_nothing_saves_nothing(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert saved(tmp_path, corpus, monkeypatch, checkpoint_ratio=0.0, checkpoint_minutes=1e-9) == []


@pytest.mark.slow
def test_a_signal_waits_until_the_checkpoint_is_complete(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long writing takes. The run then ends, with that checkpoint and one of the update after it."""
    completed: list[str] = []

    def complete(folder: Path, *others: Any) -> None:
        if not completed:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1)
        complete_checkpoint(folder, *others)
        completed.append(folder.name)

    monkeypatch.setattr(heartbeat, "PATIENCE_SECONDS", 0.1)
    monkeypatch.setattr(checkpoint_saver, "complete_checkpoint", complete)
    config = make_config(tmp_path, checkpoint_ratio=0.5)
    with pytest.raises(SystemExit):
        train(config, keep_training, corpus=corpus, evaluate=weigh, show_progress=True)
    assert len(completed) == 2
    latest = find_latest(tmp_path)
    assert latest is not None
    assert latest.folder.name == completed[-1]
