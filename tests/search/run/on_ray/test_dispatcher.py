"""The dispatcher and Tune's adapters without Ray: the mailboxes are an object, and the director is a list."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from ray.exceptions import RayActorError
from ray.tune.search import Searcher

from sleep_tune.errors import ClusterError, ConfigError, DiskError
from sleep_tune.search.decide.assignments import Done, Trial, Wait
from sleep_tune.search.run.on_ray.dispatcher import FULL_SECONDS, MOST_UNSTARTED, Dispatcher
from sleep_tune.search.run.on_ray.messages import Failed, UserMistake, WorkerLost
from sleep_tune.search.run.on_ray.tuner import DirectedSearcher


class FakeMailboxes:
    """The handle of the mailboxes: every method records its call and returns its answer, or the actor is dead."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.taken, self.reason = True, ""
        self.killer: str | None = None
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        fake = self

        class Method:
            """A method of the handle."""

            @staticmethod
            def remote(*arguments: Any) -> Any:
                """Record the call."""
                fake.calls.append((name, *arguments))
                if fake.dead:
                    raise RayActorError
                return (fake.taken, fake.reason, fake.killer) if name == "close_dead_slot" else None

        return Method


class Director:
    """Hands out what it was given; a lost trial has one more attempt."""

    def __init__(self, *trials: Trial) -> None:
        self.trials = list(trials)
        self.held: str | None = None
        self.calls: list[tuple[Any, ...]] = []

    def next(self) -> Trial | Wait | Done:
        """The next one."""
        return self.trials.pop(0) if self.trials else Done()

    def on_lost(self, name: str, reason: str = "", log: str | None = None, killer: str | None = None) -> Trial | None:
        """One more attempt, unless memory ran out: then the trial waits until it can run alone."""
        self.calls.append(("lost", name, reason, killer))
        if killer == "the kernel":
            self.trials.append(trial(name, 2))
            return None
        return trial(name, 2)

    def on_failure(self, name: str, reason: str, kind: str, log: str, *, on_gpu: bool) -> None:
        """Note it."""
        self.calls.append(("failed", name, reason, kind, on_gpu))

    def on_end(self, name: str, outcome: object) -> None:
        """Note it."""
        self.calls.append(("end", name, outcome))


def trial(name: str, attempt: int = 1) -> Trial:
    return Trial(id=name, role="search", arm=name, seed=0, parameters={}, attempt=attempt, config={}, group="")


def dispatcher(
    director: object, *, interrupted: bool = False, slots: int = 2, clock: Callable[[], float] = lambda: 0.0
) -> Any:
    return Dispatcher(
        cast(Any, director),
        FakeMailboxes(),
        Path("logs"),
        lambda: slots,
        lambda: interrupted,
        lambda: None,
        get=lambda answer: answer,
        clock=clock,
    )


class Broken:
    """A director whose disk is full."""

    held = None

    def next(self) -> None:
        """Fail."""
        raise OSError("no space left")


def test_a_director_that_raises_ends_the_search() -> None:
    """After None with nothing running, Tune would repeat its request for ever; it would ignore an exception of ours."""
    broken = dispatcher(Broken())
    searcher = DirectedSearcher(broken)
    assert searcher.suggest("a") == Searcher.FINISHED
    assert str(broken.error) == "no space left"
    assert broken.must_stop
    assert searcher.suggest("b") == Searcher.FINISHED
    assert broken.guard(lambda: "not called", "otherwise") == "otherwise"


def test_an_interrupted_search_starts_nothing_more() -> None:
    assert isinstance(dispatcher(Broken(), interrupted=True).next("a"), Done)


def test_tune_may_pickle_the_dispatcher() -> None:
    """Tune pickles what it is given, for a restoration; open logs and displays cannot be."""
    pickle.loads(pickle.dumps(dispatcher(line for line in "unpicklable")))


def test_no_more_trials_run_than_there_are_slots_now() -> None:
    at = dispatcher(Director(trial("a"), trial("b"), trial("c")), slots=1)
    assert at.next("1") == trial("a")
    assert at.next("2") is None
    at.slots = lambda: 2
    assert at.next("2") == trial("b")
    at.slots = lambda: 0
    at.on_end("1", None, slot_died=False)
    assert at.next("3") is None


def test_a_trial_whose_slot_died_goes_to_another_and_pays_only_if_it_had_begun() -> None:
    director = Director(trial("a"))
    at = dispatcher(director)
    at.next("1")
    at.mailboxes.taken = False
    at.on_end("1", None, slot_died=True)
    assert director.calls == []
    assert at.next("2") == trial("a")
    at.mailboxes.taken = True
    at.on_end("2", None, slot_died=True)
    assert director.calls == [("lost", "a", "its slot died", None)]
    assert at.next("3") == trial("a", 2)


def test_workers_that_never_start_end_the_search_unless_they_only_want_a_place() -> None:
    director = Director(trial("a"))
    at = dispatcher(director)
    at.mailboxes.taken, at.mailboxes.reason = False, "WorkerGroupStartupTimeoutError: no place"
    for _ in range(2 * MOST_UNSTARTED):
        at.next("1")
        at.on_end("1", None, slot_died=True)
    at.mailboxes.reason = "Traceback\nModuleNotFoundError: No module named 'sleep_tune'\n"
    for _ in range(MOST_UNSTARTED - 1):
        at.next("1")
        at.on_end("1", None, slot_died=True)
    at.next("1")
    with pytest.raises(ClusterError, match="ModuleNotFoundError: No module named 'sleep_tune'"):
        at.on_end("1", None, slot_died=True)
    assert director.calls == []


def test_memory_is_named_where_its_want_killed_workers_that_started() -> None:
    director = Director(trial("a"))
    at = dispatcher(director)
    at.mailboxes.taken, at.mailboxes.reason, at.mailboxes.killer = (
        False,
        "Traceback\nActorDiedError: unexpectedly",
        "the kernel",
    )
    for _ in range(MOST_UNSTARTED - 1):
        at.next("1")
        at.on_end("1", None, slot_died=True)
    at.next("1")
    with pytest.raises(ClusterError, match=r"memory.* the kernel .*--launcher inline"):
        at.on_end("1", None, slot_died=True)


def test_a_group_that_was_killed_for_memory_under_its_trial_counts_as_that() -> None:
    director = Director(trial("a"))
    at = dispatcher(director)
    at.next("1")
    at.mailboxes.killer = "Ray"
    at.on_end("1", None, slot_died=True)
    assert director.calls == [("lost", "a", "its slot died", "Ray")]


def test_a_trial_that_waits_to_run_alone_leaves_its_slot() -> None:
    """Its process may have been killed, its slot lost, or it may have reported that memory ran out."""
    director = Director(trial("a"))
    at = dispatcher(director)
    at.next("1")
    lost = WorkerLost(trial="a", attempt=1, killer="the kernel")
    assert at.on_message("1", "slot", lost) is False  # Tune stops it
    at.on_end("1", lost, slot_died=False)
    assert not at.trials
    assert at.next("2") == trial("a", 2)
    at.mailboxes.killer = "the kernel"
    at.on_end("2", None, slot_died=True)
    assert not at.trials and not at.waiting
    assert at.next("3") == trial("a", 2)
    full = Failed(trial="a", attempt=2, kind="out_of_memory", reason="CUDA out of memory", on_gpu=True)
    at.on_end("3", full, slot_died=False)
    assert director.calls[-1] == ("failed", "a", "CUDA out of memory", "out_of_memory", True)


def test_a_held_search_starts_nothing_and_gives_back_what_waits_for_a_slot() -> None:
    director = Director(trial("a"), trial("b"))
    at = dispatcher(director)
    at.next("1")
    at.on_end("1", None, slot_died=True)
    director.held = "the disk is nearly full"
    assert at.next("2") is None
    assert at.mailboxes.calls[-1] == ("set_paused", True)
    assert director.calls[-1] == ("end", "a", None)
    at.poll()
    assert [call[0] for call in at.mailboxes.calls].count("set_paused") == 1
    director.held = None
    assert at.next("3") == trial("b")
    assert ("set_paused", False) in at.mailboxes.calls


def test_dead_mailboxes_end_the_round_and_every_running_trial_restarts() -> None:
    director = Director(trial("a"), trial("b"))
    at = dispatcher(director)
    assert at.guard(lambda: at.next("1")) == trial("a")
    at.mailboxes.dead = True
    assert at.guard(lambda: at.next("2"), "otherwise") == "otherwise"
    assert at.mailboxes_died
    assert at.must_stop
    at.reassign()
    assert not at.must_stop
    assert [call[:2] for call in director.calls] == [("lost", "a"), ("lost", "b")]
    assert [waiting.id for waiting in at.waiting] == ["a", "b"]


def test_a_run_that_finds_the_disk_full_waits_with_the_search_for_room() -> None:
    now = [50.0]
    director = Director(trial("a"), trial("b"))
    at = dispatcher(director, clock=lambda: now[0])
    at.next("1")
    at.on_end("1", UserMistake(trial="a", attempt=1, error=DiskError("no space left")), slot_died=False)
    assert director.calls == [("end", "a", None)]
    assert director.held == "no space left"
    assert at.next("2") is None
    now[0] += FULL_SECONDS
    assert at.next("3") == trial("b")
    assert director.held is None


def test_any_other_mistake_of_the_users_ends_the_search() -> None:
    at = dispatcher(Director(trial("a")))
    at.next("1")
    with pytest.raises(ConfigError, match="no such folder"):
        at.on_end("1", UserMistake(trial="a", attempt=1, error=ConfigError("no such folder")), slot_died=False)
