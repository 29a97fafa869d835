"""Setting the machine's clock does not change a search's own clock."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sleep_tune.experiment.event_log import read_events
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.search_history import steady_clock
from sleep_tune.search.space.search_space import Stop
from tests.search.studies import open_search, outcome, plain, start

SHIFTS = (-3600.0, 3600.0)


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the wall clock forward by so many seconds, once more each time."""
    real = time.time
    shift = [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + shift[0])

    def set_forward(seconds: float) -> None:
        shift[0] += seconds

    return set_forward


@pytest.mark.parametrize("elapsed", ["CLOCK_BOOTTIME", "monotonic"])
@pytest.mark.parametrize("shift", SHIFTS)
def test_it_is_the_time_of_day_at_first_and_then_counts_seconds(
    shift: float, elapsed: str, set_clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    if elapsed == "monotonic":
        monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    clock = steady_clock()
    assert clock() == pytest.approx(time.time(), abs=30)
    before = clock()
    set_clock(shift)
    assert 0 <= clock() - before < 30


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_clock_that_is_set_neither_ends_a_search_nor_keeps_it_from_ending(
    shift: float, set_clock: Callable[[float], None], tmp_path: Path
) -> None:
    director = open_search(tmp_path / "x", plain(stop=Stop(hours=0.5, trials=3)))
    for _ in range(3):
        set_clock(shift)
        director.on_end(start(director).id, outcome("completed", 5.0))
        assert 0 <= director.seconds() < 60
    assert _end(director) == "stop.trials: 3 trials"
    times = [event.time for event in read_events(tmp_path / "x" / "trials.jsonl")]
    assert times == sorted(times)
    assert times[-1] - times[0] < 60
    director.close()


def _end(director: Director) -> str | None:
    director.next()
    return director.ended


def test_the_hours_that_a_machine_was_suspended_have_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    elapsed = [100.0]
    monkeypatch.setattr(time, "CLOCK_BOOTTIME", 7, raising=False)
    monkeypatch.setattr(time, "clock_gettime", lambda clock: elapsed[0] if clock == 7 else 0.0)
    clock = steady_clock()
    before = clock()
    elapsed[0] += 3600
    assert clock() - before == pytest.approx(3600)
