"""How much is done and left, from trials in every state."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from sleep_tune.records import Progress
from sleep_tune.search.space import Baseline, Finalists, Space, Stop
from sleep_tune.search.state import MAIN, TrialState
from sleep_tune.search.watching.forecast import Forecast, forecast, work_done


@dataclass
class Watched:
    """The parts of a director that a forecast looks at."""

    space: Space
    trials: Mapping[str, TrialState] = field(default_factory=dict)
    ended: str | None = None

    def best(self) -> TrialState | None:
        """Nobody asks."""
        return None

    def seconds(self) -> float:
        """Nobody asks."""
        return 0.0


def trial(number: int | None, state: str, share: float | None = None, study: str = MAIN, **more: Any) -> TrialState:
    role = "search" if number is not None else "baseline"
    progress = None
    if share is not None:
        progress = Progress(
            words_seen=int(1000 * share),
            budget_words=1000,
            updates=1,
            phase="wake",
            cycle=0,
            pass_index=0,
            fold=0,
            folds=1,
            read_ratio=share,
            seconds=1.0,
        )
    head: dict[str, Any] = {
        "id": f"{study}{number}",
        "role": role,
        "arm": "x",
        "seed": 0,
        "parameters": {},
        "group": "",
    }
    return TrialState(**head, study=study, number=number, asked_at=0.0, state=state, progress=progress, **more)


def watched(*trials: TrialState, ended: str | None = None, **space: Any) -> Watched:
    parts: dict[str, Any] = {"stop": Stop(trials=4), "baselines": {"epochs": Baseline()}}
    parts["finalists"] = Finalists(count=1, seeds=2)
    return Watched(Space(name="x", **(parts | space)), {str(n): one for n, one in enumerate(trials)}, ended)


def test_at_the_start_everything_is_to_come_in_full() -> None:
    assert forecast(watched()) == Forecast(done=0, total=8, work_left=8.0)


def test_trials_to_come_are_expected_to_go_as_far_as_those_before() -> None:
    state = forecast(watched(trial(0, "completed"), trial(1, "stopped", 0.5)))
    assert (state.done, state.total) == (2, 8)
    assert state.work_left == pytest.approx(2 * 0.75 + 4)


def test_a_running_trial_counts_with_what_it_still_has_to_see() -> None:
    stopped = trial(0, "stopped", 0.5)
    assert forecast(watched(stopped, trial(1, "running", 0.2))).work_left == pytest.approx(0.3 + 2 * 0.5 + 4)
    assert forecast(watched(stopped, trial(1, "running", 0.8))).work_left == pytest.approx(0.0 + 2 * 0.5 + 4)
    running = trial(None, "running", 0.25, study="")
    assert forecast(watched(*[stopped] * 4, running, ended="trials")).work_left == pytest.approx(0.75 + 1)


def test_refused_trials_are_neither_done_nor_planned() -> None:
    assert forecast(watched(trial(0, "refused"))) == Forecast(done=0, total=8, work_left=8.0)


def test_fewer_completed_trials_make_fewer_finalists() -> None:
    searched = [trial(number, "stopped", 0.5) for number in range(4)]
    assert forecast(watched(*searched, ended="trials")).total == 4 + 2
    searched[0] = trial(0, "completed")
    assert forecast(watched(*searched, ended="trials")).total == 4 + 4


def test_a_tuned_baselines_own_search_is_planned_too() -> None:
    tuned = {"epochs": Baseline(trials=3)}
    assert forecast(watched(baselines=tuned)).total == 8 + 3
    assert forecast(watched(trial(0, "running", study="epochs"), baselines=tuned)).total == 8 + 3


def test_without_a_number_of_trials_nothing_is_foretold_before_the_search_ends() -> None:
    open_ended = Stop(hours=1.0)
    assert forecast(watched(trial(0, "completed"), stop=open_ended)) == Forecast(done=1, total=None, work_left=None)
    assert forecast(watched(trial(0, "completed"), stop=open_ended, ended="hours")).total == 5


def test_work_counts_words_and_not_results_taken_over() -> None:
    trials = [trial(0, "completed"), trial(1, "stopped", 0.25), trial(2, "waiting"), trial(3, "completed", repeats="x")]
    assert work_done(trials) == 1.25
