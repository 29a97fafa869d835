"""Trials that share a memory: one that runs out of it is tried again alone before that counts against its settings."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.records import Event
from sleep_tune.search.decide.director import Director, Done, Trial, Wait
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.space.search_space import Baseline, Finalists, Space, Stop
from sleep_tune.simulation.engine import MemoryLog
from tests.search.crowd import without_schema
from tests.search.studies import BASE, BUDGET, outcome, plain, progress, start

SHARED = ("GPU", "machine")


def open_shared(space: Space, log: MemoryLog, shared: tuple[str, ...] = SHARED) -> Director:
    """A search whose trials hold a quarter of a GPU each, without a disk."""
    return Director(space, BASE, TOY_CORPUS, Path("none"), gpus=0.25, shared=shared, log=log)


class FakeDevice:
    """A device of a memory size and several slots. A trial takes as much as `size` says, as soon as it is started.

    Args:
        space: of the search.
        size: memory of the device; a trial takes between 1 and 30.
        slots: trials at a time.
        random: which running trial does something next.
    """

    def __init__(self, space: Space, size: int, slots: int, random: Random) -> None:
        self.space, self.size, self.slots, self.random = space, size, slots, random
        self.log = MemoryLog()
        self.director = open_shared(space, self.log)
        self.running: list[str] = []

    def needs(self, name: str) -> int:
        """Memory that a trial takes."""
        return int(self.director.trials[name].parameters.get("sleep.folds") or 5)

    def kill(self) -> None:
        """End the driver and all trials, and resume the search from what the log holds."""
        self.log = MemoryLog(tuple(Event.from_json(without_schema(event)) for event in self.log.kept))
        self.director = open_shared(self.space, self.log)
        self.running = []

    def run(self, kills: list[int]) -> None:
        """Run the search to its end; every started trial, report or end is a step, and some are followed by a kill."""
        for step in range(100_000):
            if step in kills:
                self.kill()
            work = self.director.next() if len(self.running) < self.slots else None
            if isinstance(work, Done):
                return
            if isinstance(work, Trial):
                self.running.append(work.id)
                alone = [name for name in self.running if self.director.trials[name].alone]
                assert not alone or len(self.running) == 1, "nothing runs beside a trial that must run alone"
            else:
                self._happen(self.random.choice(self.running))  # there is one: else the search waits for nothing
        raise AssertionError("the search does not end")

    def _happen(self, name: str) -> None:
        """The trial takes its memory: it, or another as the kernel chooses, ends; or it completes."""
        if sum(map(self.needs, self.running)) > self.size:
            victim = self.random.choice([name, max(self.running, key=self.needs)])
            if self.random.random() < 0.5:
                self.director.on_failure(victim, "CUDA out of memory", "out_of_memory", on_gpu=True)
                self.running.remove(victim)
            elif self.director.on_lost(victim, killer="the kernel") is None:
                self.running.remove(victim)
            return
        value = 1.0 + self.needs(name)
        self.director.on_progress(name, progress(BUDGET, rung=BUDGET, value=value))
        self.director.on_end(name, outcome("completed", value))
        self.running.remove(name)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 1000),
    size=st.integers(1, 60),
    slots=st.integers(1, 5),
    kills=st.lists(st.integers(0, 60), max_size=4),
)
def test_only_settings_too_large_for_the_whole_device_fail(seed: int, size: int, slots: int, kills: list[int]) -> None:
    """Whoever runs beside them, whichever process the kernel chooses, whenever the search is killed."""
    space = plain(stop=Stop(trials=8), baselines={"epochs": Baseline()}, finalists=Finalists(count=2, seeds=2))
    device = FakeDevice(space, size, slots, Random(seed))
    device.run(kills)
    assert device.director.finished
    for trial in device.director.trials.values():
        fits = device.needs(trial.id) <= size
        assert (trial.state, trial.kind) in ((("completed", None),) if fits else (("failed", "out_of_memory"),)), trial
        assert fits or trial.alone
    ended = [event.trial for event in device.log.kept if event.event in ("completed", "failed")]
    assert len(ended) == len(set(ended))


def test_a_deferred_trial_waits_until_nothing_else_can_be_started(tmp_path: Path) -> None:
    log = MemoryLog()
    director = open_shared(plain(stop=Stop(trials=3)), log)
    first, second = start(director), start(director)
    director.on_failure(first.id, "CUDA out of memory", "out_of_memory", "logs/t0001.log", on_gpu=True)
    deferred = log.kept[-1]
    assert (deferred.event, deferred.trial, deferred.data["log"]) == ("deferred", first.id, "logs/t0001.log")
    assert "GPU" in deferred.data["reason"] and "CUDA out of memory" in deferred.data["reason"]
    assert director.trials[first.id].state == "waiting"
    third = start(director)
    assert third.id not in (first.id, second.id)
    assert director.next() == Wait()
    for other in (second, third):
        director.on_end(other.id, outcome("completed", 3.0))
    again = start(director)
    assert (again.id, again.attempt) == (first.id, 2)
    assert {key: log.kept[-1].data[key] for key in ("after", "alone", "gpus")} == {
        "after": "resumed",
        "alone": True,
        "gpus": 1.0,
    }
    assert director.next() == Wait()
    director.on_failure(first.id, "CUDA out of memory", "out_of_memory", on_gpu=True)
    assert (director.trials[first.id].state, director.trials[first.id].kind) == ("failed", "out_of_memory")
    assert director.next() == Done()


@pytest.mark.parametrize(
    ("shared", "on_gpu", "deferred"),
    [
        ((), True, False),
        ((), False, False),
        (("machine",), True, False),
        (("machine",), False, True),
        (SHARED, True, True),
    ],
)
def test_memory_that_is_not_shared_counts_at_once(shared: tuple[str, ...], on_gpu: bool, deferred: bool) -> None:
    director = open_shared(plain(), MemoryLog(), shared)
    trial = start(director)
    director.on_failure(trial.id, "it is full", "out_of_memory", on_gpu=on_gpu)
    assert director.trials[trial.id].state == ("waiting" if deferred else "failed")


def test_other_failures_and_lost_processes_are_not_deferred() -> None:
    director = open_shared(plain(), MemoryLog())
    diverged, lost = start(director), start(director)
    director.on_failure(diverged.id, "loss is nan", "diverged")
    assert director.trials[diverged.id].state == "failed"
    assert director.on_lost(lost.id) is not None
    assert not director.trials[lost.id].alone


def test_a_trial_killed_while_it_ran_alone_is_retried_as_usual() -> None:
    director = open_shared(plain(stop=Stop(trials=1)), MemoryLog())
    trial = start(director)
    assert director.on_lost(trial.id, killer="Ray") is None
    assert start(director).id == trial.id
    for _ in range(director.space.resources.max_retries):
        assert director.on_lost(trial.id, killer="Ray") is not None
    assert director.on_lost(trial.id, killer="Ray") is None
    assert (director.trials[trial.id].state, director.trials[trial.id].kind) == ("failed", "out_of_memory")


def test_a_pruned_trial_that_runs_out_of_memory_has_stopped() -> None:
    director = open_shared(plain(), MemoryLog())
    rung = round(director.rungs[0] * BUDGET)
    for value in (1.0, 2.0):
        trial = start(director)
        director.on_progress(trial.id, progress(rung, rung=rung, value=value))
    director.on_failure(trial.id, "CUDA out of memory", "out_of_memory", on_gpu=True)
    assert director.trials[trial.id].state == "stopped"
