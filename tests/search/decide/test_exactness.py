"""A search killed at any moment is resumed as if it had not been, whatever happened before; and it ends."""

import functools
import json
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.experiment.event_log import read_events
from sleep_tune.experiment.search_state import fold_events
from sleep_tune.records import Event
from sleep_tune.results.trial_tables import tabulate_trials
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Parameter, Scheduler, Space, Stop, Uniform
from sleep_tune.simulation.engine import MemoryLog
from tests.made import write_log
from tests.search.crowd import VARIANTS, Crowd, Watched, first_study
from tests.search.studies import BASE, WORKER, decisions, search

ENDS = {"completed", "stopped", "failed", "refused"}
NAMES = ("plain", "grown", "grown when it was over", "warm", "promotion")
RANDOM = st.integers(0, 10**9).map(Random)


def run_on(space: Space, events: tuple[Event, ...]) -> tuple[Director, tuple[Event, ...]]:
    """Resume from a log, without a disk, and run to the end."""
    log = MemoryLog(events)
    director = Director(space, BASE, TOY_CORPUS, Path("none"), log=log)
    run_inline(director, WORKER)
    return director, tuple(log.kept)


def table(events: tuple[Event, ...]) -> pd.DataFrame:
    """What the tables show, but for times, attempts, and what a process killed as it was stopped could not say."""
    read = (Event.from_json(json.loads(json.dumps(event.to_json()))) for event in events)
    return tabulate_trials(fold_events(read)).drop(columns=["asked", "ended", "attempt", "seconds", "flops", "device"])


@functools.cache
def earlier(folder: Path) -> str:
    """An experiment to start warm from."""
    search(folder / "old", replace(first_study(), name="old", stop=Stop(trials=3)))
    return str(folder / "old")


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> str:
    return earlier(tmp_path_factory.mktemp("earlier"))


def grown(space: Space, source: str) -> Space:
    """More of everything at once, another scheduler, and the trials of another experiment."""
    parameters = (*space.parameters, Parameter("sleep.replay.decay", Uniform(0.0, 0.7)))
    return replace(
        space,
        parameters=parameters,
        stop=Stop(trials=6),
        scheduler=Scheduler(first_rung=0.2, reduction=2, within="sleep.folds"),
        warm_start=(source,),
        enqueue=({"sleep.folds": 20, "training.learning_rate": 1e-4},),
    )


def histories(source: str) -> dict[str, tuple[Space, int, tuple[Event, ...]]]:
    """Name -> (the space at the end, events before it became so, all events) of searches that were never killed."""
    first = first_study()
    _, whole = run_on(first, ())
    half = whole[: len(whole) // 2]
    last = grown(first, source)
    pausing = replace(first, scheduler=Scheduler(name="promotion", first_rung=0.1), stop=Stop(trials=9))
    return {
        "plain": (first, 0, whole),
        "grown": (last, len(half), run_on(last, half)[1]),
        "grown when it was over": (last, len(whole), run_on(last, whole)[1]),
        "warm": (last, 0, run_on(last, ())[1]),
        "promotion": (pausing, 0, run_on(pausing, ())[1]),
    }


def check_killed_at(space: Space, events: tuple[Event, ...], at: int) -> None:
    director, _ = run_on(space, events)
    again, after = run_on(space, events[:at])
    assert decisions(again) == decisions(director)
    pd.testing.assert_frame_equal(table(after), table(events))


@pytest.mark.parametrize("name", NAMES)
def test_killed_at_some_events_it_decides_the_same(name: str, old: str) -> None:
    space, begin, events = histories(old)[name]
    for at in Random(1).sample(range(begin, len(events)), 3):
        check_killed_at(space, events, at)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_killed_at_any_event_it_decides_the_same(name: str, old: str) -> None:
    """At every third event of each of the searches, which share most of their events."""
    space, begin, events = histories(old)[name]
    for at in range(begin + len(name) % 3, len(events), 3):
        check_killed_at(space, events, at)


@settings(max_examples=8)
@given(random=RANDOM, slots=st.integers(1, 4), sessions=st.integers(1, 3))
def test_whatever_happens_the_log_holds_it_and_the_search_ends(
    random: Random, slots: int, sessions: int, old: str
) -> None:
    live_and_end(random, slots, sessions, old)


@pytest.mark.slow
@settings(max_examples=30)
@given(random=RANDOM, slots=st.integers(1, 6), sessions=st.integers(1, 5))
def test_whatever_happens_for_long(random: Random, slots: int, sessions: int, old: str) -> None:
    live_and_end(random, slots, sessions, old)


def live_and_end(random: Random, slots: int, sessions: int, old: str) -> None:
    """Sessions under one space after another, each killed or closed; at last it runs to its end.

    After every event the folded log is compared with the live state (`Watched`).
    """
    space, events = first_study(), tuple[Event, ...]()
    for _ in range(sessions):
        watched = Watched(space, events)
        crowd = Crowd(watched.director, slots, random)
        for _ in range(random.randint(1, 40)):
            crowd.step()
        if crowd.running and random.random() < 0.3:
            watched.director.on_failure(min(crowd.running), "KeyError: 'x'", "bug")  # which ends a session
        watched.compare_samplers()
        if random.random() < 0.5:
            watched.director.close()
        events = watched.kept
        space = random.choice(VARIANTS)(random.choice([space, first_study()]))
        if random.random() < 0.2:
            space = replace(space, warm_start=(old,))
    director, after = run_on(space, events)
    assert director.finished
    assert {trial.state for trial in director.trials.values()} <= ENDS
    assert set(table(after)["state"]) <= ENDS
    check_counts(director)


def check_counts(director: Director) -> None:
    """The counts of a study are those of its trials."""
    state = director.state
    for study in state.studies.values():
        own = [trial for trial in state.trials.values() if trial.study == study.name]
        asked = [trial for trial in own if trial.number is not None]
        ranked = [
            trial for trial in own if trial.state == "completed" and not trial.repeats and trial.point is not None
        ]
        ranked.sort(key=lambda trial: (trial.value, trial.place))
        assert study.asks == len(asked)
        assert study.trained == sum(trial.state != "refused" for trial in asked)
        assert [trial.id for trial in state.ranking(study.name)] == [trial.id for trial in ranked]
    assert not state.open


@settings(max_examples=8)
@given(random=RANDOM, share=st.floats(0, 1))
def test_any_log_cut_at_any_byte_ends(
    random: Random, share: float, old: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_cut(random, share, tmp_path_factory.mktemp("cut") / "trials.jsonl", old)


@pytest.mark.slow
@settings(max_examples=30)
@given(random=RANDOM, share=st.floats(0, 1))
def test_any_log_cut_at_any_byte_ends_for_long(
    random: Random, share: float, old: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check_cut(random, share, tmp_path_factory.mktemp("cut") / "trials.jsonl", old)


def check_cut(random: Random, share: float, path: Path, old: str) -> None:
    """A log of several slots and two spaces, cut: it is read, and the search ends."""
    first = first_study()
    crowd = Crowd(Director(first, BASE, TOY_CORPUS, Path("none"), log=(log := MemoryLog())), 3, random)
    last: Any = grown(first, old) if random.random() < 0.5 else random.choice(VARIANTS)(first)
    for number in range(60):
        if number == 30:
            log = MemoryLog(tuple(log.kept))
            crowd = Crowd(Director(last, BASE, TOY_CORPUS, Path("none"), log=log), 3, random)
        crowd.step()
    write_log(path, log.kept)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    director, _ = run_on(last, read_events(path))
    assert {trial.state for trial in director.trials.values()} <= ENDS
    check_counts(director)
