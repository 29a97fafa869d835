"""How much is done and left, from trials in every state."""

from dataclasses import replace
from typing import Any

import pytest

from sleep_tune.experiment.search_state import MAIN, SearchState, StudyState, TrialState
from sleep_tune.search.decide.search_view import SearchView
from sleep_tune.search.monitor.forecast import Forecast, gpu_hours
from sleep_tune.search.monitor.forecast import forecast as look
from sleep_tune.search.space.search_space import Arm, Baseline, Finalists, Int, LogUniform, Parameter, Space, Stop
from tests.made import make_progress


class ViewOfTrials(SearchView):
    """A search of these trials."""

    def __init__(self, space: Space, state: SearchState) -> None:
        self.space, self.state, self.held = space, state, None

    def seconds(self) -> float:
        """Return no time: a forecast does not read it."""
        return 0.0


def trial(
    number: int | None,
    state: str,
    share: float | None = None,
    study: str = MAIN,
    role: str | None = None,
    **more: Any,
) -> TrialState:
    role = role or ("search" if number is not None else "baseline")
    progress = None
    if share is not None:
        progress = make_progress(int(1000 * share), 1000, seconds=1.0)
    head: dict[str, Any] = {
        "id": f"{study}{number}",
        "role": role,
        "arm": "epochs" if role == "baseline" else "x",
        "seed": 0,
        "parameters": {},
        "group": "",
    }
    return TrialState(**head, study=study, number=number, asked_at=0.0, state=state, progress=progress, **more)


def forecast(search: ViewOfTrials) -> tuple[int, int | None, float | None]:
    """Runs done and in all, and work left."""
    state = look(search, 1)
    return state.done, state.total, state.work_left


def watched(*trials: TrialState, ended: str | None = None, **space: Any) -> ViewOfTrials:
    parts: dict[str, Any] = {"stop": Stop(trials=4), "baselines": {"epochs": Baseline()}}
    parts["finalists"] = Finalists(count=1, seeds=2)
    parts["parameters"] = (Parameter("training.learning_rate", LogUniform(1e-4, 1e-2)),)
    by_name = {str(number): one for number, one in enumerate(trials)}
    studies = {MAIN: StudyState(name=MAIN, ended=ended)}
    return ViewOfTrials(Space(name="x", **(parts | space)), SearchState(mode="min", trials=by_name, studies=studies))


def test_at_the_start_everything_is_to_come_in_full() -> None:
    assert forecast(watched()) == (0, 8, 8.0)


def test_trials_to_come_are_expected_to_go_as_far_as_those_before() -> None:
    state = forecast(watched(trial(0, "completed"), trial(1, "stopped", 0.5)))
    assert state[:2] == (2, 8)
    assert state[2] == pytest.approx(2 * 0.75 + 4)


def test_trials_that_have_paused_at_a_rung_show_how_far_trials_go() -> None:
    """Else every trial to come would be expected to go to the end, as only those have ended."""
    state = forecast(watched(trial(0, "completed"), trial(1, "paused", 0.5)))
    assert state[:2] == (1, 8)
    assert state[2] == pytest.approx(2 * 0.75 + (0.75 - 0.5) + 4)


def test_a_running_trial_counts_with_what_it_still_has_to_see() -> None:
    stopped = trial(0, "stopped", 0.5)
    assert forecast(watched(stopped, trial(1, "running", 0.2)))[2] == pytest.approx(0.3 + 2 * 0.5 + 4)
    assert forecast(watched(stopped, trial(1, "running", 0.8)))[2] == pytest.approx(0.0 + 2 * 0.5 + 4)
    running = trial(None, "running", 0.25, study="")
    assert forecast(watched(*[stopped] * 4, running, ended="trials"))[2] == pytest.approx(0.75 + 1)


def test_refused_trials_are_neither_done_nor_planned() -> None:
    assert forecast(watched(trial(0, "refused"))) == (0, 8, 8.0)


def test_fewer_completed_trials_make_fewer_finalists() -> None:
    searched = [trial(number, "stopped", 0.5) for number in range(4)]
    assert forecast(watched(*searched, ended="trials"))[1] == 4 + 2
    searched[0] = trial(0, "completed")
    assert forecast(watched(*searched, ended="trials"))[1] == 4 + 4


def test_a_tuned_baselines_own_search_is_planned_too() -> None:
    tuned = {"epochs": Baseline(trials=3, parameters=("training.learning_rate",))}
    assert forecast(watched(baselines=tuned))[1] == 8 + 3
    assert forecast(watched(trial(0, "running", study="epochs"), baselines=tuned))[1] == 8 + 3


def test_there_are_no_more_trials_than_settings() -> None:
    folds = (Parameter("sleep.folds", Int(1, 3)),)
    assert forecast(watched(parameters=folds))[1] == 8 - 1
    assert forecast(watched(parameters=folds, stop=Stop(hours=1.0)))[1] == 8 - 1


def test_without_a_number_of_trials_there_is_no_forecast_before_the_search_ends() -> None:
    open_ended = Stop(hours=1.0)
    assert forecast(watched(trial(0, "completed"), stop=open_ended)) == (1, None, None)
    assert forecast(watched(trial(0, "completed"), stop=open_ended, ended="hours"))[1] == 5


def test_seconds_and_gpu_hours_follow_what_runs_have_taken() -> None:
    trials = [trial(0, "completed"), trial(1, "running", 0.5, gpus=2.0)]
    for one, seconds in zip(trials, (100.0, 50.0), strict=True):
        one.spend(seconds)
    search = watched(*trials)  # 1.5 budgets in 150 seconds, 6.5 budgets to go
    one_slot, many = look(search, 1), look(search, 100)
    assert one_slot.work_left == pytest.approx(6.5)
    assert one_slot.seconds_left == pytest.approx(650)
    assert many.seconds_left == pytest.approx(100)  # one run takes as long as it takes
    assert gpu_hours(trials) == pytest.approx(100 / 3600)
    assert one_slot.gpu_hours_left == pytest.approx(100 / 3600 / 1.5 * 6.5)


def test_no_time_is_estimated_before_the_speed_is_known() -> None:
    state = look(watched(trial(0, "running", 0.25)), 1)
    assert state == Forecast(done=0, total=8, work_left=7.75, seconds_left=None, gpu_hours_left=None)


def test_trials_of_an_earlier_experiment_are_none_of_this_ones_runs() -> None:
    earlier = trial(None, "completed", role="search", gpus=1.0)
    earlier.spend(100.0)
    assert forecast(watched(earlier)) == (0, 8, 8.0)
    assert gpu_hours([earlier]) == 0.0


def arm_run(arm: str, seed: int, state: str, share: float | None = None) -> TrialState:
    run = trial(None, state, share, study="", role="arm")
    return replace(run, id=f"{arm}-s{seed}", arm=arm, seed=seed)


ARMS = {"strict": Arm(settings={"sleep": "strict"}), "again": Arm(matched="strict"), "twin": Arm(like="best")}


def test_controls_follow_the_runs_that_they_are_matched_to() -> None:
    """On many slots the time left is that of the longest chain: half a run, then a whole one."""
    space: dict[str, Any] = {"stop": Stop(trials=0), "baselines": {}, "arms": {k: ARMS[k] for k in ("strict", "again")}}
    runs = [arm_run("strict", 1, "completed", 1.0), arm_run("strict", 2, "running", 0.5)]
    for run in runs:
        run.spent = 10.0
    state = look(watched(*runs, ended="stop.trials: 0 trials", **space), 100)
    assert (state.done, state.total, state.work_left, state.controls_left) == (1, 4, 2.5, 2)
    assert state.seconds_left == pytest.approx(1.5 * 20.0 / 1.5)


def test_an_arm_like_the_best_trial_is_not_to_come_if_there_is_none() -> None:
    space: dict[str, Any] = {"stop": Stop(trials=1), "baselines": {}, "arms": ARMS}
    assert forecast(watched(trial(1, "running", 0.5), ended="x", **space))[1] == 1 + 2 * 3 + 2
    assert forecast(watched(trial(1, "failed", 0.5), ended="x", **space))[1] == 1 + 2 * 2


def test_runs_that_were_refused_are_not_to_come() -> None:
    space: dict[str, Any] = {"stop": Stop(trials=0), "baselines": {}, "arms": {k: ARMS[k] for k in ("strict", "again")}}
    refused = [arm_run("again", seed, "refused") for seed in (1, 2)]
    completed = [arm_run("strict", seed, "completed", 1.0) for seed in (1, 2)]
    state = look(watched(*completed, *refused, ended="stop.trials: 0 trials", **space), 1)
    assert (state.done, state.total, state.controls_left) == (2, 2, 0)
