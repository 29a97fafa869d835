"""The desk and Tune's adapters without a Ray: with a room that is an object, and a director that is a list."""

import pickle
from pathlib import Path
from typing import Any, cast

import pytest
from ray.exceptions import RayActorError
from ray.tune.search import Searcher

from sleep_tune.errors import ClusterError, ConfigError, DiskError
from sleep_tune.search.decide.work import Done, Trial, Wait
from sleep_tune.search.run.on_ray.dispatcher import FULL_SECONDS, MOST_UNSTARTED, Desk
from sleep_tune.search.run.on_ray.messages import Refused
from sleep_tune.search.run.on_ray.tuner import DirectedSearcher


class Room:
    """Every method of the room's handle: notes the call and answers what was asked for, or is dead."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.taken, self.reason = True, ""
        self.killer: str | None = None
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        room = self

        class Method:
            """What `.remote` hangs on."""

            @staticmethod
            def remote(*arguments: Any) -> Any:
                """Note the call."""
                room.calls.append((name, *arguments))
                if room.dead:
                    raise RayActorError
                return (room.taken, room.reason, room.killer) if name == "bury" else None

        return Method


class Director:
    """Hands out what it was given; a lost trial has one more attempt."""

    def __init__(self, *trials: Trial) -> None:
        self.trials = list(trials)
        self.held: str | None = None
        self.told: list[tuple[Any, ...]] = []

    def next(self) -> Trial | Wait | Done:
        """The next one."""
        return self.trials.pop(0) if self.trials else Done()

    def on_lost(self, name: str, reason: str, log: str, killer: str | None) -> Trial | None:
        """One more attempt."""
        self.told.append(("lost", name, reason, killer))
        return trial(name, 2)

    def on_end(self, name: str, outcome: object) -> None:
        """Note it."""
        self.told.append(("end", name, outcome))


def trial(name: str, attempt: int = 1) -> Trial:
    return Trial(id=name, role="search", arm=name, seed=0, parameters={}, attempt=attempt, config={}, group="")


@pytest.fixture(autouse=True)
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a room's method returns is the answer itself."""
    monkeypatch.setattr("sleep_tune.search.run.on_ray.dispatcher.ray.get", lambda answer: answer)


def desk(director: object, *, interrupted: bool = False, slots: int = 2) -> Any:
    return Desk(cast(Any, director), Room(), Path("logs"), lambda: slots, lambda: interrupted, lambda: None)


class Broken:
    """A director whose disk is full."""

    held = None

    def next(self) -> None:
        """Fail."""
        raise OSError("no space left")


def test_a_director_that_raises_ends_the_search() -> None:
    """Told to ask later with nothing running, Tune asks for ever; an exception of ours it would carry on with."""
    broken = desk(Broken())
    searcher = DirectedSearcher(broken)
    assert searcher.suggest("a") == Searcher.FINISHED
    assert str(broken.error) == "no space left"
    assert broken.stops
    assert searcher.suggest("b") == Searcher.FINISHED
    assert broken.guard(lambda: "not called", "otherwise") == "otherwise"


def test_an_interrupted_search_starts_nothing_more() -> None:
    assert isinstance(desk(Broken(), interrupted=True).next("a"), Done)


def test_tune_may_pickle_the_desk() -> None:
    """Tune pickles what it is given, for a restoration; open logs and displays cannot be."""
    pickle.loads(pickle.dumps(desk(line for line in "unpicklable")))


def test_no_more_trials_run_than_there_are_slots_now() -> None:
    at = desk(Director(trial("a"), trial("b"), trial("c")), slots=1)
    assert at.next("1") == trial("a")
    assert at.next("2") is None
    at.slots = lambda: 2
    assert at.next("2") == trial("b")
    at.slots = lambda: 0
    at.end("1", None, slot_died=False)
    assert at.next("3") is None


def test_a_trial_whose_slot_died_goes_to_another_and_pays_only_if_it_had_begun() -> None:
    director = Director(trial("a"))
    at = desk(director)
    at.next("1")
    at.room.taken = False
    at.end("1", None, slot_died=True)
    assert director.told == []
    assert at.next("2") == trial("a")
    at.room.taken = True
    at.end("2", None, slot_died=True)
    assert director.told == [("lost", "a", "its slot died", None)]
    assert at.next("3") == trial("a", 2)


def test_workers_that_never_start_end_the_search_unless_they_only_want_a_place() -> None:
    director = Director(trial("a"))
    at = desk(director)
    at.room.taken, at.room.reason = False, "WorkerGroupStartupTimeoutError: no place"
    for _ in range(2 * MOST_UNSTARTED):
        at.next("1")
        at.end("1", None, slot_died=True)
    at.room.reason = "Traceback\nModuleNotFoundError: No module named 'sleep_tune'\n"
    for _ in range(MOST_UNSTARTED - 1):
        at.next("1")
        at.end("1", None, slot_died=True)
    at.next("1")
    with pytest.raises(
        ClusterError, match="ended before they began: ModuleNotFoundError: No module named 'sleep_tune'"
    ):
        at.end("1", None, slot_died=True)
    assert director.told == []


def test_memory_is_named_where_its_want_killed_workers_that_started() -> None:
    director = Director(trial("a"))
    at = desk(director)
    at.room.taken, at.room.reason, at.room.killer = False, "Traceback\nActorDiedError: unexpectedly", "the kernel"
    for _ in range(MOST_UNSTARTED - 1):
        at.next("1")
        at.end("1", None, slot_died=True)
    at.next("1")
    with pytest.raises(ClusterError, match=r"memory ran out on their machine, and the kernel .*--launcher inline"):
        at.end("1", None, slot_died=True)


def test_a_group_that_was_killed_for_memory_under_its_trial_counts_as_that() -> None:
    director = Director(trial("a"))
    at = desk(director)
    at.next("1")
    at.room.killer = "Ray"
    at.end("1", None, slot_died=True)
    assert director.told == [("lost", "a", "its slot died", "Ray")]


def test_a_held_search_starts_nothing_and_gives_back_what_waits_for_a_slot() -> None:
    director = Director(trial("a"), trial("b"))
    at = desk(director)
    at.next("1")
    at.end("1", None, slot_died=True)
    director.held = "the disk is nearly full"
    assert at.next("2") is None
    assert at.room.calls[-1] == ("hold", True)
    assert director.told[-1] == ("end", "a", None)
    at.look()
    assert [call[0] for call in at.room.calls].count("hold") == 1
    director.held = None
    assert at.next("3") == trial("b")
    assert ("hold", False) in at.room.calls


def test_dead_mailboxes_end_the_round_and_every_trial_that_ran_goes_on() -> None:
    director = Director(trial("a"), trial("b"))
    at = desk(director)
    assert at.guard(lambda: at.next("1")) == trial("a")
    at.room.dead = True
    assert at.guard(lambda: at.next("2"), "otherwise") == "otherwise"
    assert at.room_died
    assert at.stops
    at.take_up()
    assert not at.stops
    assert [told[:2] for told in director.told] == [("lost", "a"), ("lost", "b")]
    assert [waiting.id for waiting in at.again] == ["a", "b"]


def test_a_run_that_finds_the_disk_full_waits_with_the_search_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [50.0]
    monkeypatch.setattr("sleep_tune.search.run.on_ray.dispatcher.time.monotonic", lambda: now[0])
    director = Director(trial("a"), trial("b"))
    at = desk(director)
    at.next("1")
    at.end("1", Refused(trial="a", attempt=1, error=DiskError("no space left")), slot_died=False)
    assert director.told == [("end", "a", None)]
    assert director.held == "no space left"
    assert at.next("2") is None
    now[0] += FULL_SECONDS
    assert at.next("3") == trial("b")
    assert director.held is None


def test_any_other_mistake_of_the_users_ends_the_search() -> None:
    at = desk(Director(trial("a")))
    at.next("1")
    with pytest.raises(ConfigError, match="no such folder"):
        at.end("1", Refused(trial="a", attempt=1, error=ConfigError("no such folder")), slot_died=False)
