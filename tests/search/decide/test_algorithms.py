"""Every algorithm of the table proposes the same after a kill; and what each of them does with the trials so far."""

import math
from pathlib import Path
from random import Random

import numpy as np
import pytest
from optuna.study import StudyDirection
from scipy.stats import qmc

from sleep_tune.experiment.trial_state import Value
from sleep_tune.records import Event
from sleep_tune.search.decide.algorithms import SAMPLERS
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.gp_sampler import estimate_ends
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Baseline, Choice, Int, Parameter, Search, Space, Stop, Uniform
from sleep_tune.simulation.engine import MemoryLog
from tests.search.studies import BASE, WORKER, decisions, study

STRATEGY = Parameter("sleep.replay.strategy", Choice(("strict", "random")))
PARAMETERS = (
    STRATEGY,
    Parameter("sleep.replay.ratio", Uniform(0.1, 0.9, 0.2), {STRATEGY.key: ("strict",)}),
    Parameter("sleep.folds", Int(5, 20, 5)),
    Parameter("training.batch_size", Int(32, 128, log=True)),
    Parameter("training.learning_rate", Choice((1e-3, 0.1, 1e-4))),
)
"""Conditional, in steps, logarithmic; some settings diverge, and some are refused."""


def space_of(algorithm: str) -> Space:
    tuned = Baseline(trials=2, parameters=("training.learning_rate",))
    search = Search(algorithm=algorithm, seed=1, startup=2)
    return study(parameters=PARAMETERS, search=search, stop=Stop(trials=6), baselines={"epochs": tuned})


def run_on(space: Space, events: tuple[Event, ...]) -> tuple[Director, tuple[Event, ...]]:
    """Resume from a log, without a disk, and run to the end."""
    log = MemoryLog(events)
    director = Director(space, BASE, TOY_CORPUS, Path("none"), log=log)
    run_inline(director, WORKER)
    return director, tuple(log.kept)


def check_resumed(algorithm: str, times: int) -> None:
    space = space_of(algorithm)
    director, events = run_on(space, ())
    assert director.finished
    for at in Random(algorithm).sample(range(len(events)), times):
        again, _ = run_on(space, events[:at])
        assert decisions(again) == decisions(director)


@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_resumed_at_some_events_it_is_the_undisturbed_search(algorithm: str) -> None:
    check_resumed(algorithm, 1 if algorithm == "gp" else 4)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", SAMPLERS)
def test_resumed_at_many_events_it_is_the_undisturbed_search(algorithm: str) -> None:
    check_resumed(algorithm, 12)


def test_sobol_points_are_those_of_the_sequence() -> None:
    """Whichever asks were other trials: the number of the ask is the index of the point."""
    parameters = (Parameter("a", Uniform(0, 1)), Parameter("b", Uniform(2, 4)))
    sampler = Sampler(parameters, algorithm="qmc", mode="min", seed=7, startup=1)
    points = qmc.Sobol(2, scramble=True, seed=np.random.default_rng(7)).random(64)
    for number in (0, 1, 5, 63):
        a, b = sampler.ask(number).values()
        assert (a, b) == pytest.approx((points[number, 0], 2 + 2 * points[number, 1]))


def test_sobol_points_are_spread_evenly() -> None:
    """Of 32 points each 32nd part of each range has one; of random ones a third of the parts has none."""
    parameters = (Parameter("a", Uniform(0, 32)), Parameter("b", Int(1, 32)))
    sampler = Sampler(parameters, algorithm="qmc", mode="min", seed=3, startup=1)
    points = [sampler.ask(number) for number in range(32)]
    assert sorted(math.floor(float(str(point["a"]))) for point in points) == list(range(32))
    assert sorted(int(str(point["b"])) for point in points) == list(range(1, 33))


X = (Parameter("x", Uniform(0.0, 1.0)),)


def gp(parameters: tuple[Parameter, ...] = X, startup: int = 4) -> Sampler:
    return Sampler(parameters, algorithm="gp", mode="min", seed=0, startup=startup)


def test_gp_proposes_near_the_best_of_noisy_values() -> None:
    sampler, rng = gp(), np.random.default_rng(0)
    for number, x in enumerate(np.linspace(0, 1, 12)):
        sampler.add(str(number), {"x": float(x)})
        sampler.tell_completed(str(number), (float(x) - 0.3) ** 2 + 0.02 * rng.normal())
    assert all(0.1 < float(str(sampler.ask(number)["x"])) < 0.5 for number in range(3))


def test_gp_learns_from_stopped_trials() -> None:
    """Where the two best of twelve were completed; the last rung is 1 above the end. Impossible settings count too."""
    sampler = gp()
    for number, x in enumerate(np.linspace(0, 1, 12)):
        trial, loss = str(number), (float(x) - 0.3) ** 2
        sampler.add(trial, {"x": float(x)})
        if x > 0.8:
            sampler.tell_impossible(trial)
        elif abs(x - 0.3) < 0.07:
            sampler.tell_completed(trial, loss, {100: loss + 1, 200: loss})
        else:
            sampler.tell_stopped(trial, {100: loss + 1})
    assert all(0.1 < float(str(sampler.ask(number)["x"])) < 0.5 for number in range(3))


def test_gp_learns_about_a_conditional_parameter() -> None:
    """Half of the trials do not have it; Optuna's own sampler would draw it at random."""
    kind = Parameter("kind", Choice(("a", "b")))
    sampler = gp((kind, Parameter("x", Uniform(0.0, 1.0), {"kind": ("a",)})))
    for number in range(16):
        x = number / 15
        chosen: dict[str, Value] = {"kind": "b"} if number % 2 else {"kind": "a", "x": x}
        sampler.add(str(number), chosen)
        sampler.tell_completed(str(number), 1.0 if number % 2 else (x - 0.8) ** 2)
    proposed = [sampler.ask(number) for number in range(3)]
    assert all(chosen["kind"] == "a" and float(str(chosen["x"])) > 0.5 for chosen in proposed)


def test_the_end_of_a_stopped_trial_is_estimated_in_its_group() -> None:
    sampler = gp()
    for trial, group in {"a": "1", "b": "1", "c": "1", "d": "2", "e": "1", "f": "2", "g": "3", "h": "3"}.items():
        sampler.add(trial, {"x": 0.5}, group)
    sampler.tell_completed("a", 3.0, {100: 3.5, 300: 3.0})
    sampler.tell_completed("b", 3.0, {100: 3.7, 300: 3.0})
    sampler.tell_completed("c", 2.0, {100: 2.1, 300: 2.0})
    sampler.tell_completed("d", 1.0, {100: 4.0, 300: 1.0})
    sampler.tell_stopped("e", {100: 5.0})  # its group fell by 0.5, 0.7 and 0.1
    sampler.tell_stopped("f", {100: 5.0})  # by 3
    sampler.tell_stopped("g", {100: 5.0})  # none of its group was completed
    sampler.tell_stopped("h", {50: 6.0, 100: math.nan})
    told = list(sampler._storage.trials_by_id.values())
    found = estimate_ends(told, StudyDirection.MINIMIZE)
    assert list(found.values()) == pytest.approx([3.0, 3.0, 2.0, 1.0, 4.5, 2.0, 4.4, 4.5])
    assert estimate_ends(told, StudyDirection.MAXIMIZE)[8] == 1.0
    assert estimate_ends(told[4:7], StudyDirection.MINIMIZE) == {}
