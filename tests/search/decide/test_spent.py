"""Seconds and GPU-hours of trials: whatever becomes of an attempt, none that was reported is forgotten."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.experiment.search_state import SearchState, fold_events
from sleep_tune.records import Decision, Event
from sleep_tune.results.trial_tables import tabulate_trials
from sleep_tune.search.decide.director import Director, Trial
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.space.search_space import Stop
from sleep_tune.simulation.engine import MemoryLog
from tests.made import make_outcome, make_progress
from tests.search.crowd import without_schema
from tests.search.studies import BASE, BUDGET, open_search, plain, start

SPACE = plain(stop=Stop(trials=3))
FATES = ("beat", "rung", "lost", "paused", "given back", "completed", "stopped", "bug", "diverged", "closed", "killed")


@dataclass
class Ledger:
    """One search after another on one log, each with GPUs of its own; what was ever known to be spent."""

    events: tuple[Event, ...] = ()
    gpus: float = 1.0
    log: MemoryLog = field(init=False)
    director: Director = field(init=False)
    known: dict[str, tuple[float, float]] = field(default_factory=dict)
    reported: float = 0.0
    """Seconds that the present attempt has reported."""

    def __post_init__(self) -> None:
        self.open()

    def open(self) -> None:
        """Begin a session; heartbeats that are in no event are lost."""
        self.log = MemoryLog(self.events)
        self.director = Director(SPACE, BASE, TOY_CORPUS, Path("none"), gpus=self.gpus, log=self.log)
        self.known = {trial.id: (trial.seconds, trial.held) for trial in self.director.trials.values()}

    def reopen(self, gpus: float) -> None:
        """End the session, as a kill does, and begin another."""
        self.events = tuple(Event.from_json(without_schema(event)) for event in self.log.kept)
        self.gpus = gpus
        self.open()

    def check(self) -> None:
        """Nothing has fallen; a study has what its trials have; the table says the same as the log's fold."""
        director = self.director
        for trial in director.trials.values():
            seconds, gpu_seconds = self.known.get(trial.id, (0.0, 0.0))
            assert trial.seconds >= seconds
            assert trial.gpu_seconds >= gpu_seconds
            self.known[trial.id] = trial.seconds, trial.gpu_seconds
        total = sum(gpu_seconds for _, gpu_seconds in self.known.values())
        assert director.state.gpu_hours("search") == pytest.approx(total / 3600)
        seconds_of = tabulate_trials(fold_events(self.log.kept)).set_index("trial")["seconds"].fillna(0.0)
        assert seconds_of.to_dict() == {trial.id: trial.spent or 0.0 for trial in director.trials.values()}

    def happen(self, fate: str, seconds: float) -> None:
        """Something happens to the trial that is running, or is started for it, after so many seconds.

        An attempt's own seconds never fall; those of the next may begin anywhere.
        """
        director = self.director
        running = [trial.id for trial in director.trials.values() if trial.state == "running"]
        if fate in ("closed", "killed"):
            if fate == "closed":
                director.close()
            self.reopen(gpus=1.0 + seconds % 2)
            return
        name = running[0] if running else getattr(director.next(), "id", None)
        if name is None:
            return
        seconds = self.reported = max(seconds, self.reported if running else 0.0)
        rung = round(director.rungs[0] * BUDGET)
        progress = make_progress(1, BUDGET, seconds=seconds, metrics={"eval/nll": 1.0})
        outcome = {"seconds": seconds, "metrics": {"eval/nll": 1.0}}
        match fate:
            case "beat":
                director.on_progress(name, progress)
            case "rung":
                more = {"rung": rung, "metrics": {"eval/nll": seconds}}
                director.on_progress(name, make_progress(rung, BUDGET, seconds=seconds, **more))
            case "lost":
                director.on_lost(name)
                self.reported = 0.0
            case "paused" | "stopped" | "completed":
                director.on_end(name, make_outcome(fate, **outcome))
            case "given back":
                director.on_end(name, None)
            case "bug" | "diverged":
                director.on_failure(name, "it failed", fate)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 9).map(float)), max_size=25))
def test_what_was_spent_never_falls(fates: list[tuple[str, float]]) -> None:
    """Any attempt may begin from an older checkpoint, and so report less than the one before it."""
    ledger = Ledger()
    for fate, seconds in fates:
        ledger.happen(fate, seconds)
        ledger.check()
    ledger.reopen(gpus=0.0)
    ledger.check()


def ended(fates: list[tuple[str, float]]) -> tuple[float, float]:
    """Seconds and GPU-hours of the search after these."""
    ledger = Ledger()
    for fate, seconds in fates:
        ledger.happen(fate, seconds)
    ledger.reopen(gpus=0.0)
    return ledger.director.trials["t0001"].seconds, ledger.director.state.gpu_hours("search")


@pytest.mark.parametrize(
    "fates",
    [
        [("paused", 3600.0), ("given back", 0.0)],
        [("beat", 3600.0), ("lost", 0.0), ("given back", 0.0)],
        [("beat", 3600.0), ("closed", 0.0)],
        [("beat", 3600.0), ("bug", 0.0)],
        [("beat", 3600.0), ("diverged", 0.0)],
        [("rung", 3600.0), ("killed", 0.0), ("beat", 1200.0), ("diverged", 0.0)],
        [("paused", 3600.0), ("completed", 1800.0)],
    ],
)
def test_an_hour_stays_an_hour(fates: list[tuple[str, float]]) -> None:
    """Each of the first two once made it 0 (the search then ran past stop.gpu_hours), the others less than it was."""
    assert ended(fates) == (3600.0, 1.0)


def test_each_second_counts_the_gpus_of_its_own_attempt() -> None:
    """A trial that resumed on a machine without a GPU once lost its GPU-hours."""
    ledger = Ledger(gpus=2.0)
    ledger.happen("paused", 3600.0)
    ledger.reopen(gpus=0.0)
    ledger.happen("completed", 9000.0)
    assert ledger.director.state.gpu_hours("search") == 2.0


def test_a_log_in_which_a_pause_says_nothing_was_spent_is_read_right() -> None:
    """Versions before this one wrote the outcome of an attempt that never began as one of 0 seconds."""
    ledger = Ledger()
    ledger.happen("paused", 3600.0)
    trial = ledger.director.next()
    assert isinstance(trial, Trial)
    ledger.director.on_end(trial.id, make_outcome("paused", seconds=0.0))
    old = [without_seconds(event) for event in ledger.log.kept]
    state = SearchState(mode="min")
    for event in old:
        state.apply(event)
    assert (state.trials[trial.id].seconds, state.gpu_hours("search")) == (3600.0, 1.0)
    assert tabulate_trials(fold_events(old))["seconds"].tolist() == [3600.0]


def without_seconds(event: Event) -> Event:
    """An event as earlier versions wrote it: a start does not say what was spent before."""
    line: dict[str, Any] = dict(without_schema(event))
    if event.event == "started":
        del line["data"]["seconds"]
    return Event.from_json(line)


def test_a_run_that_meets_a_full_disk_after_a_stop_keeps_its_state(tmp_path: Path) -> None:
    """It is handed back without an outcome, and must not be shown as one that saw no words in no time."""
    director = open_search(tmp_path / "x", SPACE, gpus=1.0)
    rung = round(director.rungs[0] * BUDGET)
    for value in (1.0, 2.0):
        name = start(director).id
        progress = make_progress(rung, BUDGET, rung=rung, seconds=3600.0, metrics={"eval/nll": value})
        director.on_progress(name, progress)
    director.on_end(name, None)
    director.close()
    trial = director.trials[name]
    assert (trial.state, trial.seconds, trial.outcome) == ("stopped", 3600.0, None)


def test_the_time_of_a_trial_after_a_stop_counts_even_if_its_process_dies(tmp_path: Path) -> None:
    """Only heartbeats reported that time, and they are not logged; its end must, since no session restarts it."""
    director = open_search(tmp_path / "x", SPACE, gpus=1.0)
    rung = round(director.rungs[0] * BUDGET)
    for value in (1.0, 2.0):
        name = start(director).id
        at_rung = make_progress(rung, BUDGET, rung=rung, seconds=3600.0, metrics={"eval/nll": value})
        decision = director.on_progress(name, at_rung)
    assert decision is Decision.STOP
    director.on_progress(name, make_progress(rung + 1, BUDGET, seconds=3960.0))
    assert director.on_lost(name) is None
    director._held.close()
    director = open_search(tmp_path / "x", SPACE, gpus=1.0)
    assert (director.trials[name].state, director.trials[name].seconds) == ("stopped", 3960.0)
    assert director.state.gpu_hours("search") == 2.1
    director.close()
