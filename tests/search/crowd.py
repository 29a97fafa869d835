"""A launcher with several slots in which anything may happen, and spaces under which a search may be resumed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest

from sleep_tune.records import Decision, Event
from sleep_tune.search.decide.director import Director, Trial
from sleep_tune.search.decide.search_history import FoldedLog
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Finalists,
    Int,
    Parameter,
    Scheduler,
    Search,
    Space,
    Stop,
    Uniform,
)
from sleep_tune.simulation.engine import MemoryLog
from tests.search.judges import judge_events
from tests.search.studies import BASE, outcome, progress, study

FOLDS = Parameter("sleep.folds", Choice((5, 20)))
RATE = Parameter("training.learning_rate", Choice((1e-3, 1e-4, 0.1)))
RATIO = Parameter("sleep.replay.ratio", Uniform(0.1, 0.9))

VARIANTS: tuple[Callable[[Space], Space], ...] = (
    lambda space: space,
    lambda space: replace(space, stop=Stop(trials=6)),
    lambda space: replace(space, stop=Stop(trials=2)),
    lambda space: replace(space, stop=Stop(no_improvement=2, trials=9)),
    lambda space: replace(space, parameters=(FOLDS, RATE), stop=Stop(trials=4)),
    lambda space: replace(space, parameters=(replace(FOLDS, domain=Int(1, 30)), RATE, RATIO)),
    lambda space: replace(space, scheduler=Scheduler(name="none")),
    lambda space: replace(space, scheduler=Scheduler(first_rung=0.2, reduction=2, within="training.learning_rate")),
    lambda space: replace(space, scheduler=Scheduler(name="promotion", first_rung=0.1)),
    lambda space: replace(space, scheduler=Scheduler(name="promotion", reduction=2, within="training.learning_rate")),
    lambda space: replace(space, search=Search(algorithm="random", seed=1, startup=3)),
    lambda space: replace(space, search=Search(seed=1, startup=1)),
    lambda space: replace(space, baselines={}),
    lambda space: replace(
        space, baselines={"as_epochs": Baseline(trials=2, parameters=(RATE.key,)), "epochs": Baseline()}
    ),
    lambda space: replace(space, finalists=Finalists(count=0, seeds=1)),
    lambda space: replace(space, finalists=Finalists(count=3, seeds=3)),
    lambda space: replace(space, finalists=Finalists(count=2, seeds=(2, 3, 4))),
    lambda space: replace(space, enqueue=({RATE.key: 1e-4}, {"sleep.folds": 20, RATE.key: 1e-3})),
)
"""Spaces of a resumed search."""


def first_study() -> Space:
    """What a search of a crowd begins as: small, with a tuned baseline and a finalist."""
    return study(stop=Stop(trials=4), finalists=Finalists(count=1, seeds=1))


@dataclass
class Watched:
    """A search without a disk, whose log is folded a second time: after every event both states must be equal."""

    space: Space
    events: tuple[Event, ...] = ()
    director: Director = field(init=False)
    _log: MemoryLog = field(init=False)

    def __post_init__(self) -> None:
        self._log = MemoryLog(self.events)
        self._reader = FoldedLog(self.space, BASE)
        self._num_read = 0
        self._spent: dict[str, tuple[float, float]] = {}
        self.director = Director(
            self.space,
            BASE,
            TOY_CORPUS,
            Path("none"),
            gpus=2.0,
            shared=("machine",),
            log=self._log,
            clock=lambda: float(len(self._log.kept)),
            judge=judge_events(lambda: self._log.kept),
        )
        known = self.director._history._folded
        live_apply = known.apply

        def apply(event: Event) -> None:
            live_apply(event)
            self.compare()

        known.apply = apply  # type: ignore[method-assign]
        self.compare()

    @property
    def kept(self) -> tuple[Event, ...]:
        """All that was logged, as it would be read back."""
        return tuple(Event.from_json(without_schema(event)) for event in self._log.kept)

    def compare(self) -> None:
        """Read what is new, and compare."""
        for event in self._log.kept[self._num_read :]:
            self._reader.apply(Event.from_json(without_schema(event)))
        self._num_read = len(self._log.kept)
        assert repr_of(self._reader) == repr_of(self.director._history._folded)
        self.compare_spent()

    def compare_spent(self) -> None:
        """No trial's seconds or GPU-seconds have fallen, and a study's are those of its trials."""
        trials = self.director.trials
        spent = {name: (trial.seconds, trial.gpu_seconds) for name, trial in trials.items()}
        for name, (seconds, gpu_seconds) in self._spent.items():
            assert spent[name][0] >= seconds
            assert spent[name][1] >= gpu_seconds
        self._spent = spent
        for searched in self.director.state.studies:
            held = sum(spent[name][1] for name, trial in trials.items() if trial.study == searched)
            assert self.director.state.gpu_hours(searched) == pytest.approx(held / 3600)

    def compare_samplers(self) -> None:
        """Both propose the same, for every study."""
        for mine, theirs in zip(self._reader.studies, self.director._history.studies, strict=True):
            number = self._reader.state.study(mine.name).asks
            assert mine.sampler.ask(number) == theirs.sampler.ask(number)


def repr_of(known: FoldedLog) -> object:
    """The state, comparable even where a value is NaN."""
    return repr(
        replace(known.state, trials={name: replace(t, progress=None) for name, t in known.state.trials.items()})
    )


def without_schema(event: Event) -> Mapping[str, object]:
    """The event's line, read."""
    read: dict[str, object] = json.loads(json.dumps(event.to_json()))
    return read


@dataclass
class Crowd:
    """Slots, and what runs in them."""

    director: Director
    slots: int
    random: Random
    running: dict[str, int] = field(default_factory=dict)
    """Trial -> rungs that it has reported."""
    beats: int = 0
    """Heartbeats so far, of all trials."""

    def step(self) -> None:
        """Let one thing happen: a start, a report, any end of an attempt; or the search is paused, or resumed."""
        if self.random.random() < 0.05:
            self.director.held = None if self.director.held else "the disk is nearly full"
        if len(self.running) < self.slots:
            work = self.director.next()
            if isinstance(work, Trial):
                self.running[work.id] = 0
                assert len(self.running) == 1 or not any(self.director.trials[name].alone for name in self.running)
                return
        if self.running:
            name = self.random.choice(sorted(self.running))
            if self._happen(name):
                del self.running[name]

    def _happen(self, name: str) -> bool:
        """Something happens to a trial; whether it is no longer running."""
        fate = self.random.random()
        if fate < 0.05:
            kind = self.random.choice(["diverged", "out_of_memory", "infrastructure"])
            self.director.on_failure(name, "loss is nan", kind)
            return True
        if fate < 0.1:
            killer = self.random.choice([None, None, "the kernel"])
            return self.director.on_lost(name, killer=killer) is None
        if fate < 0.15:
            self.director.on_end(name, None)  # cancelled before its attempt began
            return True
        if fate < 0.2:
            self.beats += 1
            return self._obey(name, self.director.on_progress(name, progress(self.beats)))
        rungs = [round(share * self.director.budget_words) for share in self.director.rungs]
        if self.director.trials[name].role == "search" and self.running[name] < len(rungs):
            rung = rungs[self.running[name]]
            self.running[name] += 1
            value = self.random.choice([self.random.random(), 0.5, float("nan")])
            return self._obey(name, self.director.on_progress(name, progress(rung, rung=rung, value=value)))
        budget = self.director.budget_words
        value = self.random.random()
        self.director.on_progress(name, progress(budget, rung=budget, value=value))
        self.director.on_end(name, outcome("completed", value))
        return True

    def _obey(self, name: str, told: Decision) -> bool:
        if told is Decision.CONTINUE:
            return False
        self.director.on_end(name, outcome("stopped" if told is Decision.STOP else "paused", 1.0))
        return True
