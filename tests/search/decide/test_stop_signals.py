import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from sleep_tune.config.tree import from_dict
from sleep_tune.interrupts import Interrupts
from sleep_tune.records import Decision, Progress
from sleep_tune.search.decide.assignments import Trial
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.stop_signals import GRACE_SECONDS, SILENT_SECONDS, Interrupted, should_end
from sleep_tune.search.run.fake_worker import FakeWorker
from tests.search.fake_search import study


class Search:
    """What is looked at of a director."""

    def __init__(self, running: int) -> None:
        self.running = self.pausing = running
        self.held: str | None = None
        self.seconds_per_update = 0.1


def test_a_signal_holds_the_search_which_ends_when_its_runs_have_saved_or_cannot() -> None:
    search: Any = Search(running=2)
    interrupts = Interrupts()
    assert not should_end(search, interrupts)
    assert not search.held
    interrupts.number, interrupts.since = 15, 100.0

    def over(after: float) -> bool:
        return should_end(search, interrupts, lambda: 100.0 + after)

    assert not over(0)
    assert search.held == "interrupted"
    assert not over(GRACE_SECONDS - 1)
    assert over(GRACE_SECONDS)
    search.pausing = 0
    assert not over(SILENT_SECONDS - 1)
    assert over(SILENT_SECONDS)
    search.seconds_per_update = 5.0
    assert not over(14)
    assert over(15)
    search.seconds_per_update = 3600.0
    assert over(GRACE_SECONDS)
    search.running = 0
    assert over(0)
    assert Interrupted(15).exit_code == 143


def test_runs_that_must_pause_are_waited_for(tmp_path: Path) -> None:
    """A silent one evaluates, compiles or starts."""
    search = study(tmp_path / "study", worker=FakeWorker())
    director = Director(search.space, search.base, search.corpus, search.folder)
    trial, paused = director.next(), []
    assert isinstance(trial, Trial)

    def report(progress: Progress) -> Decision:
        paused.append(director.pausing)
        decision = director.on_progress(trial.id, progress)
        paused.append(director.pausing)
        assert director.seconds_per_update == (progress.seconds / progress.updates if progress.updates else 0.0)
        director.held = "interrupted"
        return decision

    director.on_end(trial.id, FakeWorker(heartbeats=10)(from_dict(trial.config), report))
    assert (paused, director.pausing) == ([0, 0, 0, 1], 0)
    director.held = None
    assert director.next() == replace(trial, attempt=2)
    assert director.pausing == 0
    director.close()


def test_a_closed_pipe_ends_a_search_as_a_signal_does() -> None:
    search: Any = Search(running=0)
    interrupts = Interrupts()
    interrupts.hang_up()
    assert should_end(search, interrupts)
    assert "SIGPIPE" in interrupts.last_line()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        by_nohup = Interrupts()
        by_nohup.hang_up()
        assert by_nohup.number is None
    finally:
        signal.signal(signal.SIGHUP, before)
