"""What is asked for, what is refused or known already, and when a study asks for no more."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import BudgetError, ConfigError
from sleep_tune.records import Outcome
from sleep_tune.search.decide.director import Done, Trial, Wait
from sleep_tune.search.decide.proposals import MAX_REPEATS
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Choice, Int, Parameter, Stop, Uniform
from tests.search.studies import BUDGET, WORKER, open_search, outcome, plain, progress, start


def test_settings_that_the_budget_refuses_are_proposed_again(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(parameters=(Parameter("sleep.folds", Int(20, 60)),)))
    run_inline(director, WORKER)
    refused = [t for t in director.trials.values() if t.state == "refused" and t.kind == "budget"]
    assert refused
    assert all(t.reason and "sleep.folds must be in [1, 32]" in t.reason for t in refused)
    assert sum(t.state != "refused" for t in director.trials.values()) == 7
    assert [trial.number for trial in director.trials.values()] == list(range(len(director.trials)))
    director.close()


def test_a_choice_that_never_fits_is_refused_at_once(tmp_path: Path) -> None:
    space = plain(parameters=(Parameter("sleep.folds", Choice((10, 100))),))
    with pytest.raises(
        BudgetError, match=r"parameters.sleep.folds: the choice 100 can never be used: sleep.folds must"
    ):
        open_search(tmp_path / "x", space)
    assert not (tmp_path / "x").exists()


def test_a_choice_that_fits_with_some_others_is_kept(tmp_path: Path) -> None:
    parameters = (Parameter("sleep.folds", Choice((5, 20))), Parameter("training.batch_size", Choice((32, 128))))
    open_search(tmp_path / "x", plain(parameters=parameters)).close()


def test_repeated_settings_are_not_trained_again(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(parameters=(Parameter("sleep.folds", Choice((2, 5, 10))),)))
    run_inline(director, WORKER)
    trained = [t.parameters["sleep.folds"] for t in director.trials.values() if t.state != "refused"]
    assert sorted(str(folds) for folds in trained) == ["10", "2", "5"]
    assert director.ended == "all 3 settings of the space have been tried"
    director.close()


def test_in_the_end_a_known_result_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sampler that proposes one thing only: the search must end all the same, and train it once."""
    monkeypatch.setattr(Sampler, "ask", lambda self, number, explore=False: {"sleep.replay.ratio": 0.5})
    trained: list[str] = []

    def count(config: RunConfig, report: Any) -> Outcome:
        trained.append(str(config.run.name))
        return WORKER(config, report)

    space = plain(parameters=(Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)),), stop=Stop(trials=3))
    director = open_search(tmp_path / "x", space)
    run_inline(director, count)
    assert trained == ["t0001"]
    first, *others = (trial for trial in director.trials.values() if trial.state != "refused")
    assert [(t.state, t.value, t.repeats, t.seconds) for t in others] == [("completed", first.value, "t0001", 0.0)] * 2
    assert sum(trial.state == "refused" for trial in director.trials.values()) == 2 * MAX_REPEATS
    assert list(director.state.ranking("search")) == [first]  # or one setting would be two finalists
    director.close()


def test_a_known_result_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sampler, "ask", lambda self, number, explore=False: {"sleep.replay.ratio": 0.5})
    director = open_search(tmp_path / "x", plain(parameters=(Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)),)))
    first = start(director)
    assert director.next() == Wait()
    asked = len(director.trials)
    assert director.next() == Wait()
    assert len(director.trials) == asked
    director.on_end(first.id, outcome("completed", 1.0))
    assert director.next() == Done()
    director.close()


@pytest.mark.parametrize(
    ("stop", "told", "trials"),
    [
        (Stop(trials=3), "stop.trials: 3 trials", 3),
        (Stop(gpu_hours=4.0), "stop.gpu_hours: 4.00 GPU-hours", 2),
        (Stop(hours=1.0), "stop.hours: 1.00 hours", 3),
        (Stop(no_improvement=2), "stop.no_improvement: 2 completed trials without a new best", 3),
    ],
)
def test_stops(stop: Stop, told: str, trials: int, tmp_path: Path) -> None:
    """Each trial takes 20 minutes of wall clock, and says that it took an hour on its two GPUs."""
    now = [0.0]
    director = open_search(tmp_path / "x", plain(stop=stop), gpus=2.0, clock=lambda: now[0])
    while isinstance(trial := director.next(), Trial):
        now[0] += 1200
        director.on_end(trial.id, outcome("completed", 5.0 + len(director.trials)))
    assert director.ended == told
    assert len(director.trials) == trials
    director.close()


def test_a_new_best_starts_the_count_of_no_improvement_again(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(stop=Stop(no_improvement=2)))
    for value in (5.0, 6.0, 4.0, 5.0, 6.0):
        director.on_end(start(director).id, outcome("completed", value))
    assert director.next() == Done()
    director.close()


def test_gpu_hours_of_trials_that_did_not_complete_count_too(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(stop=Stop(gpu_hours=100.0)), gpus=2.0)
    rung = round(director.rungs[0] * BUDGET)
    completed, stopped, failed, running = (start(director) for _ in range(4))
    director.on_end(completed.id, outcome("completed", 1.0))
    for trial, value in ((running, 1.0), (stopped, 2.0)):
        director.on_progress(trial.id, replace(progress(rung, rung=rung, value=value), seconds=900.0))
    director.on_end(stopped.id, outcome("stopped", 2.0))
    director.on_progress(failed.id, replace(progress(10), seconds=1800.0))
    director.on_failure(failed.id, "loss is nan", "diverged")
    assert director.trials[stopped.id].state == "stopped"
    assert director.state.gpu_hours("search") == 2 * (1 + 1 + 0.5 + 0.25)
    director.close()


def test_hours_are_summed_over_sessions(tmp_path: Path) -> None:
    now = [0.0]
    space = plain(stop=Stop(hours=1.0))
    for _ in range(2):
        director = open_search(tmp_path / "x", space, clock=lambda: now[0])
        start(director)
        now[0] += 1200
        director.close()
        now[0] += 10_000
    director = open_search(tmp_path / "x", space, clock=lambda: now[0])
    assert director.seconds() == 2400
    director.close()


def test_gpu_hours_without_gpus_never_end(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gpu_hours alone never ends a search without GPUs"):
        open_search(tmp_path / "x", plain(stop=Stop(gpu_hours=1.0)))


def test_given_points_are_trained_first_in_their_order(tmp_path: Path) -> None:
    """What a point leaves out is proposed."""
    parameters = (Parameter("sleep.folds", Int(1, 30)), Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)))
    points = ({"sleep.folds": 3, "sleep.replay.ratio": 0.25}, {"sleep.folds": 30}, {"sleep.folds": 30})
    director = open_search(tmp_path / "x", plain(parameters=parameters, enqueue=points, stop=Stop(trials=4)))
    chosen = [start(director).parameters for _ in range(4)]
    assert chosen[0] == points[0]
    assert [settings["sleep.folds"] for settings in chosen[1:3]] == [30, 30]
    assert chosen[1]["sleep.replay.ratio"] != chosen[2]["sleep.replay.ratio"]
    assert chosen[3]["sleep.folds"] != 30
    director.close()


def test_a_given_point_that_is_known_is_not_trained_again(tmp_path: Path) -> None:
    """However many there are: the sampler did not propose them, so it is not stuck."""
    points = tuple({"sleep.folds": folds} for folds in (4, *[5] * (2 * MAX_REPEATS), 6))
    director = open_search(tmp_path / "x", plain(enqueue=points, stop=Stop(trials=3)))
    run_inline(director, WORKER)
    folds = [t.parameters["sleep.folds"] for t in director.trials.values() if t.state != "refused"]
    assert folds[:3] == [4, 5, 6]
    assert len(folds) == 3
    director.close()


def test_points_given_later_are_trained_next(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(enqueue=({"sleep.folds": 4},)))
    assert start(director).parameters == {"sleep.folds": 4}
    director._held.close()
    director = open_search(tmp_path / "x", plain(enqueue=({"sleep.folds": 9}, {"sleep.folds": 4})))
    assert start(director).attempt == 2
    assert start(director).parameters == {"sleep.folds": 9}
    assert start(director).parameters != {"sleep.folds": 4}
    director.close()
