import functools
import itertools
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sleep_tune.config.tree import from_dict
from sleep_tune.records import Event
from sleep_tune.search.decide.assignments import Trial, Wait
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker, synthetic_loss
from sleep_tune.search.space.search_space import Scheduler, Space, Stop
from sleep_tune.simulation.engine import Cluster, MemoryLog, Pace, VirtualClock
from tests.search.studies import BASE, BUDGET, Killed, decisions, plain, search, study

PACE = Pace(words_per_second=1_000.0, start_seconds=10.0)


def curve(trial: Trial, share: float) -> float:
    return synthetic_loss(from_dict(trial.config), trial.seed, share)


def cluster(space: Space, **more: Any) -> Cluster:
    clock = VirtualClock()
    director = Director(space, BASE, TOY_CORPUS, Path("nowhere"), clock=clock, log=MemoryLog())
    parts: dict[str, Any] = {"curve": curve, "pace": PACE}
    return Cluster(director, clock, **(parts | more))


def events(simulated: Cluster) -> list[Any]:
    log = simulated.director._history._log
    assert isinstance(log, MemoryLog)
    return log.kept


PAUSING = study(scheduler=Scheduler(name="promotion", first_rung=0.1), stop=Stop(trials=12))


@pytest.mark.parametrize("space", [study(), plain(), PAUSING], ids=["study", "plain", "promotion"])
def test_one_slot_decides_what_a_search_in_one_process_does(tmp_path: Path, space: Space) -> None:
    simulated = cluster(space)
    simulated.run()
    assert simulated.director.finished
    assert decisions(simulated.director) == search(tmp_path, space, FakeWorker(heartbeats=0))


def test_time_is_in_proportion_to_words_after_a_start() -> None:
    simulated = cluster(plain(stop=Stop(trials=2), scheduler=replace(plain().scheduler, name="none")))
    simulated.run()
    assert simulated.clock() == pytest.approx(2 * (10 + BUDGET / 1_000))
    assert simulated.words == pytest.approx(2 * BUDGET)
    assert simulated.busy_seconds == pytest.approx(simulated.clock())
    started = [event.time for event in events(simulated) if event.event == "started"]
    assert started == pytest.approx([0, 10 + BUDGET / 1_000])


@settings(max_examples=10, deadline=None)
@given(slots=st.integers(1, 5), trials=st.integers(1, 12), seed=st.integers(0, 5))
def test_time_never_goes_back_and_no_slot_idles_while_something_could_run(slots: int, trials: int, seed: int) -> None:
    space = plain(stop=Stop(trials=trials), search=replace(plain().search, seed=seed, algorithm="random"))
    simulated = cluster(space, num_slots=slots)
    director = simulated.director
    most = 0
    told = director.next

    def watched() -> Any:
        answer = told()
        nonlocal most
        most = max(most, director.running)
        return answer

    director.next = watched  # type: ignore[method-assign]
    simulated.run()
    times = [event.time for event in events(simulated)]
    assert times == sorted(times)
    assert most == min(slots, trials)
    busy = sum((1 if event.event == "started" else -1) for event in events(simulated) if event.event in ENDS)
    assert busy == simulated.running == 0
    assert gaps(simulated, slots, trials) == []


ENDS = ("started", "completed", "stopped", "failed")


def gaps(simulated: Cluster, slots: int, trials: int) -> list[float]:
    """Stretches of time in which a slot was free though trials were left to start."""
    changes = [event for event in events(simulated) if event.event in ENDS]
    found = []
    running = started = 0
    for event, after in itertools.pairwise(changes):
        running += 1 if event.event == "started" else -1
        started += event.event == "started"
        if after.time > event.time and running < slots and started < trials:
            found.append(event.time)
    return found


def test_the_same_search_twice_is_the_same() -> None:
    first, second = cluster(study(), num_slots=3), cluster(study(), num_slots=3)
    first.run()
    second.run()
    assert [event.to_json() for event in events(first)] == [event.to_json() for event in events(second)]
    assert not isinstance(first.director.next(), Wait | Trial)


def test_marks_are_passed_at_their_words_and_the_last_one_ends_it() -> None:
    simulated = cluster(plain(stop=Stop(trials=50)), num_slots=3)
    seen: list[tuple[float, float, int]] = []
    marks = [0.0, 0.5 * BUDGET, 2.2 * BUDGET]
    simulated.run(marks, lambda words: seen.append((words, simulated.words, len(simulated.director.trials))))
    assert [words for words, _, _ in seen] == marks
    assert [trained for _, trained, _ in seen] == pytest.approx(marks)
    assert seen[0][2] == 3
    assert not simulated.director.finished
    simulated.run()
    assert simulated.director.finished


def test_a_search_that_ends_before_a_mark_is_looked_at_as_it_ended() -> None:
    simulated = cluster(plain(stop=Stop(trials=1)))
    seen: list[float] = []
    simulated.run([BUDGET / 2, 9.0 * BUDGET], seen.append)
    assert seen == [BUDGET / 2, 9.0 * BUDGET]
    assert simulated.director.finished


class KilledLog(MemoryLog):
    """Ends its process before or after it has kept its n-th event."""

    def __init__(self, at: int, is_kept: bool) -> None:
        super().__init__()
        self.at = at
        self.is_kept = is_kept

    def append(self, event: Event) -> None:
        """Keep it, or not, and be killed."""
        is_last = len(self.kept) == self.at
        if not is_last or self.is_kept:
            super().append(event)
        if is_last:
            raise Killed


@functools.cache
def undisturbed(slots: int, pauses: bool) -> Cluster:
    simulated = cluster(PAUSING if pauses else study(), num_slots=slots)
    simulated.run()
    return simulated


@pytest.mark.slow
@settings(max_examples=15, deadline=None)
@given(slots=st.integers(1, 4), at=st.integers(0, 150), is_kept=st.booleans(), pauses=st.booleans())
@example(
    slots=4, at=39, is_kept=False, pauses=False
)  # between settings refused in a row, which a start after a kill must not end
def test_a_search_killed_at_any_event_decides_what_an_undisturbed_one_does(
    slots: int, at: int, is_kept: bool, pauses: bool
) -> None:
    space = PAUSING if pauses else study()
    killed = KilledLog(at, is_kept)
    clock = VirtualClock()
    try:
        director = Director(space, BASE, TOY_CORPUS, Path("nowhere"), clock=clock, log=killed)
    except Killed:
        return  # at its very first event, before there was a search
    resumed = Cluster(director, clock, curve, slots, PACE)
    try:
        resumed.run()
    except Killed:
        resumed.take_over(
            Director(space, BASE, TOY_CORPUS, Path("nowhere"), clock=clock, log=MemoryLog(tuple(killed.kept)))
        )
        resumed.run()
    assert decisions(resumed.director) == decisions(undisturbed(slots, pauses).director)
    assert resumed.words == pytest.approx(undisturbed(slots, pauses).words)
    assert resumed.clock() == pytest.approx(undisturbed(slots, pauses).clock())


@pytest.mark.slow
def test_a_week_of_search_takes_seconds() -> None:
    """500 trials of two hours on 8 slots."""
    space = plain(
        stop=Stop(trials=500), search=replace(plain().search, algorithm="random"), parameters=study().parameters
    )
    simulated = cluster(space, num_slots=8, pace=Pace(words_per_second=BUDGET / 7200, start_seconds=30.0))
    began = time.process_time()
    simulated.run()
    assert simulated.director.finished
    assert 86_400 < simulated.clock() < 8 * 86_400
    assert time.process_time() - began < 60
