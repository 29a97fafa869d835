"""A grid trains every point exactly once, in the order of the parameters, whatever happens to the search."""

from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.experiment.trial_state import TrialState, configuration_key
from sleep_tune.records import Event
from sleep_tune.search.decide import proposals
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Finalists,
    Int,
    Parameter,
    Search,
    Space,
    Stop,
    Uniform,
)
from sleep_tune.search.space.settings import list_settings
from sleep_tune.simulation.engine import MemoryLog
from tests.search.crowd import Crowd
from tests.search.studies import BASE, WORKER, decisions, open_search, plain, search, start, study

GRID = Search(algorithm="grid", seed=1)
PARAMETERS = (
    Parameter("sleep.replay.strategy", Choice(("strict", "random"))),
    Parameter("sleep.replay.decay", Choice((0.0, 0.5)), {"sleep.replay.strategy": ("strict",)}),
    Parameter("sleep.folds", Int(8, 9)),
    Parameter("training.batch_size", Choice((32, 128))),
    Parameter("training.learning_rate", Choice((0.1, 1e-3))),
)
"""24 points; the budget refuses those of 9 folds with batches of 128, and a rate of 0.1 diverges."""


def grid(**more: Any) -> Space:
    """Every point, with a baseline that is tuned on a grid of its own, and finalists."""
    baselines = {"epochs": Baseline(trials=9, parameters=("training.batch_size", "training.learning_rate"))}
    return study(**({"parameters": PARAMETERS, "search": GRID, "stop": Stop(), "baselines": baselines} | more))


def points(director: Director, study: str = "search") -> list[dict[str, Any]]:
    """The points that were asked for, in order; not those taken from another experiment."""
    trials = (trial for trial in director.trials.values() if trial.study == study)
    return [trial.parameters for trial in trials if trial.number is not None]


def run_on(space: Space, events: tuple[Event, ...]) -> tuple[Director, tuple[Event, ...]]:
    """Resume from a log, without a disk, and run to the end."""
    log = MemoryLog(events)
    director = Director(space, BASE, TOY_CORPUS, Path("none"), log=log)
    run_inline(director, WORKER)
    return director, tuple(log.kept)


def test_every_point_once_in_order() -> None:
    """Also of a conditional parameter, of a tuned baseline, under ASHA, and of points that fail or are refused."""
    director, _ = run_on(grid(), ())
    assert points(director) == list(list_settings(PARAMETERS))
    assert points(director, "epochs") == list(list_settings(PARAMETERS[3:]))
    assert director.ended == "all 24 settings of the space have been tried"
    ends = {trial.state for trial in director.trials.values() if trial.study == "search"}
    assert ends == {"completed", "stopped", "failed", "refused"}
    assert not any(trial.kind == "repeat" for trial in director.trials.values())


def test_a_grid_over_ranges_with_a_step(tmp_path: Path) -> None:
    stepped = (Parameter("sleep.replay.ratio", Uniform(0.1, 0.3, 0.1)), Parameter("sleep.folds", Int(2, 8, 3)))
    director = open_search(tmp_path / "x", plain(parameters=stepped, search=GRID, stop=Stop()))
    run_inline(director, WORKER)
    values = [tuple(point.values()) for point in points(director)]
    assert values == [(ratio, folds) for ratio in (0.1, 0.2, 0.3) for folds in (2, 5, 8)]
    director.close()


def test_fewer_trials_train_the_first_points() -> None:
    director, events = run_on(grid(stop=Stop(trials=7)), ())
    asked = points(director)
    assert asked == list(list_settings(PARAMETERS))[: len(asked)]
    director, _ = run_on(grid(stop=Stop(trials=100)), events)
    assert points(director) == list(list_settings(PARAMETERS))


def test_killed_at_any_event_it_decides_the_same() -> None:
    director, events = run_on(grid(), ())
    for at in range(0, len(events), 7):
        again, _ = run_on(grid(), events[:at])
        assert decisions(again) == decisions(director)


@settings(max_examples=25)
@given(random=st.integers(0, 10**9).map(Random), slots=st.integers(1, 4))
def test_whatever_happens_every_point_of_the_last_space_was_tried_once(random: Random, slots: int) -> None:
    """Failures of all kinds, pauses, kills and two growths; only a point that its machine lost is trained again."""
    grown = replace(PARAMETERS[2], domain=Int(7, 9))
    values = replace(PARAMETERS[4], domain=Choice((0.1, 1e-3, 1e-4)))
    events: tuple[Event, ...] = ()
    space = grid(finalists=Finalists(count=1, seeds=1))
    for parameters in (PARAMETERS, (*PARAMETERS[:2], grown, *PARAMETERS[3:]), (*PARAMETERS[:4], values)):
        space = replace(space, parameters=parameters)
        log = MemoryLog(events)
        crowd = Crowd(Director(space, BASE, TOY_CORPUS, Path("none"), log=log), slots, random)
        for _ in range(random.randint(1, 60)):
            crowd.step()
        events = tuple(log.kept)
    director, _ = run_on(space, events)
    assert director.finished
    tried = [t for t in director.trials.values() if t.study == "search" and not is_lost(t)]
    inside = [configuration_key(t.point) for t in tried if t.point is not None]
    assert sorted(inside) == sorted(map(configuration_key, list_settings(space.parameters)))
    assert len({configuration_key(t.parameters) for t in tried}) == len(tried)


def is_lost(trial: TrialState) -> bool:
    """Whether the trial says nothing about its point."""
    return trial.state == "failed" and trial.kind == "infrastructure"


def test_a_point_that_its_machine_lost_is_trained_again_after_the_others(tmp_path: Path) -> None:
    parameters = (Parameter("sleep.folds", Choice((2, 3, 4))),)
    director = open_search(tmp_path / "x", plain(parameters=parameters, search=GRID, stop=Stop()))
    director.on_failure(start(director).id, "its node was lost", "infrastructure")
    run_inline(director, WORKER)
    assert [point["sleep.folds"] for point in points(director)] == [2, 3, 4, 2]
    director.close()


def test_points_that_are_given_or_known_are_not_trained_again(tmp_path: Path) -> None:
    """Given points come first; what one leaves out is filled in with a value of the grid."""
    search(tmp_path / "old", grid(name="old", stop=Stop(trials=3), baselines={}))
    given = ({"training.learning_rate": 0.1, "sleep.folds": 9}, {"sleep.replay.strategy": "random"})
    director = open_search(tmp_path / "x", grid(enqueue=given, warm_start=(str(tmp_path / "old"),)))
    run_inline(director, WORKER)
    asked = points(director)
    assert given[0].items() <= asked[0].items()
    assert given[1].items() <= asked[1].items()
    every = list(list_settings(PARAMETERS))
    taken = [trial.parameters for trial in director.trials.values() if trial.source is not None]
    assert asked[2:] == [point for point in every if point not in taken and point not in asked[:2]]
    director.close()


def test_many_refused_points_do_not_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposals, "MAX_REFUSALS", 3)
    parameters = (PARAMETERS[3], Parameter("sleep.folds", Int(5, 40)))
    director = open_search(tmp_path / "x", plain(parameters=parameters, search=GRID, stop=Stop()))
    run_inline(director, WORKER)
    assert points(director) == list(list_settings(parameters))
    assert director.ended == "all 72 settings of the space have been tried"
    director.close()


def test_a_grid_of_a_million_points_starts_at_once(tmp_path: Path) -> None:
    parameters = tuple(Parameter(key, Int(1, 100)) for key in ("sleep.folds", "training.batch_size", "model.layers"))
    director = open_search(tmp_path / "x", plain(parameters=parameters, search=GRID, stop=Stop(trials=2)))
    assert [start(director).parameters["model.layers"] for _ in range(2)] == [1, 2]
    director.close()
