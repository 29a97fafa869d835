"""Trials that pause at a rung: promoted when they are among the best of more trials, or stopped at the end."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.experiment.event_log import read_events
from sleep_tune.records import Decision
from sleep_tune.search.decide.assignments import Done, Trial, Wait
from sleep_tune.search.decide.director import Director
from sleep_tune.search.plan.done_runs import read_done
from sleep_tune.search.run.fake_worker import TOY_CORPUS, FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Parameter,
    Resources,
    Scheduler,
    Space,
    Stop,
    Uniform,
)
from sleep_tune.simulation.engine import VirtualClock
from tests.search.studies import BASE, BUDGET, open_search, outcome, plain, progress, start, study

RUNG = round(BUDGET / 3)
PROMOTION = Scheduler(name="promotion", first_rung=0.3, reduction=3)

Open = Callable[..., Director]


def pausing(**more: Any) -> Space:
    """One rung at a third of the budget; random settings."""
    space = plain(scheduler=PROMOTION, stop=Stop(trials=9))
    return replace(space, search=replace(space.search, algorithm="random"), **more)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Opens the search in one folder; what it opened is closed at the end."""
    directors: list[Director] = []

    def open_again(space: Space | None = None, **more: Any) -> Director:
        if directors:
            directors.pop().close()
        directors.append(open_search(tmp_path / "x", space or pausing(), **more))
        return directors[-1]

    yield open_again
    for director in directors:
        director.close()


def reach(director: Director, trial: Trial, value: float, rung: int = RUNG) -> Decision:
    """Report a rung, and end the run if it is told to."""
    decision = director.on_progress(trial.id, progress(rung, rung=rung, value=value))
    if decision is not Decision.CONTINUE:
        director.on_end(trial.id, outcome("paused" if decision is Decision.PAUSE else "stopped", value))
    return decision


def finish(director: Director, trial: Trial, value: float) -> None:
    director.on_progress(trial.id, progress(BUDGET, rung=BUDGET, value=value))
    director.on_end(trial.id, outcome("completed", value))


def paused(director: Director, *values: float) -> list[Trial]:
    """Start a trial for each value; the first is promoted at once, and so are later ones that are the best so far."""
    trials = [start(director) for _ in values]
    for trial, value in zip(trials, values, strict=True):
        reach(director, trial, value)
    return trials


def test_a_paused_trial_is_promoted_when_it_is_among_the_best_third(opened: Open) -> None:
    director = opened()
    first, second, third = paused(director, 1.0, 2.0, 3.0)
    assert [director.trials[trial.id].state for trial in (first, second, third)] == ["running", "paused", "paused"]
    assert director.trials[second.id].reason == "not among the best 1 of 2 at 33% of the budget"
    for value in (4.0, 5.0):
        assert reach(director, start(director), value) is Decision.PAUSE
    last = start(director)
    assert last.attempt == 1  # of five, one is promoted
    assert reach(director, last, 6.0) is Decision.PAUSE
    again = start(director)  # of six, two
    assert (again.id, again.attempt) == (second.id, 2)
    assert reach(director, again, 9.0) is Decision.CONTINUE  # it may repeat the rung; its first report counts
    finish(director, again, 2.0)
    assert director.trials[second.id].state == "completed"
    assert start(director).attempt == 1


def test_the_highest_rung_and_there_the_best_trial_is_promoted_first(opened: Open) -> None:
    director = opened(pausing(scheduler=replace(PROMOTION, first_rung=0.1), stop=Stop(trials=30)))
    low = round(BUDGET / 9)
    trials = [start(director) for _ in range(8)]
    for number, trial in enumerate(trials):
        reach(director, trial, float(number), low)
    assert [trial.id for trial in trials if director.trials[trial.id].state == "running"] == [trials[0].id]
    assert reach(director, trials[0], 5.0) is Decision.CONTINUE
    second = start(director)  # of eight, two
    assert (second.id, reach(director, second, 6.0)) == (trials[1].id, Decision.PAUSE)
    for value, trial in enumerate([start(director) for _ in range(4)], 8):
        reach(director, trial, float(value), low)
    third, fourth = start(director), start(director)  # of twelve, four
    assert (third.id, fourth.id) == (trials[2].id, trials[3].id)
    for value, trial in enumerate([start(director) for _ in range(3)], 12):
        reach(director, trial, float(value), low)
    assert reach(director, third, 7.0) is Decision.PAUSE
    assert reach(director, fourth, 8.0) is Decision.PAUSE
    fifth = start(director)  # of fifteen at the low rung five; of four at the high one, one
    assert fifth.id == trials[4].id
    others = [start(director) for _ in range(3)]
    for value, trial in enumerate(others, 15):
        reach(director, trial, float(value), low)
    assert reach(director, fifth, 9.0) is Decision.PAUSE
    sixth = start(director)
    assert sixth.id == trials[5].id
    late = [start(director) for _ in range(3)]
    for value, trial in enumerate(late, 18):
        reach(director, trial, float(value), low)
    assert reach(director, sixth, 10.0) is Decision.PAUSE
    assert [start(director).id for _ in range(2)] == [second.id, trials[6].id]  # the high rung before the low one


def test_a_trial_that_diverged_at_a_rung_is_stopped(opened: Open) -> None:
    director = opened()
    (first,) = paused(director, float("nan"))
    assert director.trials[first.id].state == "stopped"


def test_every_paused_trial_is_promoted_or_stopped_at_the_end(opened: Open, tmp_path: Path) -> None:
    tuned = Baseline(trials=4, parameters=("training.learning_rate",))
    space = study(scheduler=replace(PROMOTION, first_rung=0.1), stop=Stop(trials=20), baselines={"epochs": tuned})
    director = opened(space)
    run_inline(director, FakeWorker())
    events = read_events(tmp_path / "x" / "trials.jsonl")
    ended = [trial for trial in director.trials.values() if trial.paused_at is not None]
    assert {trial.state for trial in ended} == {"stopped"}
    assert {trial.study for trial in ended} == {"search", "epochs"}
    assert all(trial.reason is not None and trial.reason.startswith("not among the best") for trial in ended)
    promoted = [event.trial for event in events if event.event == "promoted"]
    assert promoted
    assert all(len(director.trials[name or ""].rungs) > 1 for name in promoted)
    assert director.next() == Done()


def test_trials_of_several_groups_are_compared_within_them(opened: Open) -> None:
    groups = Parameter("sleep.replay.strategy", Choice(("strict", "random")))
    space = pausing(scheduler=replace(PROMOTION, within=groups.key), parameters=(groups, *plain().parameters))
    director = opened(replace(space, stop=Stop(trials=30)))
    by_group: dict[str, list[Trial]] = {"strict": [], "random": []}
    while min(map(len, by_group.values())) < 6:
        trial = start(director)
        assert trial.attempt == 1
        by_group[trial.group].append(trial)
    for at, trial in enumerate(by_group["strict"][:6]):
        reach(director, trial, float(at))
    for at, trial in enumerate(by_group["random"][:6]):
        reach(director, trial, float(at + 10))
    again = {start(director).id, start(director).id}
    assert again == {by_group["strict"][1].id, by_group["random"][1].id}


@pytest.mark.parametrize(
    ("stop", "why"),
    [(Stop(hours=1.0), "stop.hours"), (Stop(no_improvement=1), "stop.no_improvement")],
    ids=["hours", "no improvement"],
)
def test_nothing_is_promoted_beyond_a_limit_of_cost(stop: Stop, why: str, opened: Open) -> None:
    clock = VirtualClock()
    director = opened(pausing(stop=stop), clock=clock)
    trials = paused(director, 2.0, 1.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    clock.advance(3600.0)
    finish(director, trials[1], 1.0)
    finish(director, trials[0], 2.0)
    while isinstance(work := director.next(), Trial):
        finish(director, work, 3.0)
    assert work == Done()
    reasons = {name: trial.reason or "" for name, trial in director.trials.items() if trial.state == "stopped"}
    assert any("before this trial was promoted" in reason and why in reason for reason in reasons.values())
    assert not director.state.open


def test_a_plan_counts_no_paused_trial_among_those_that_resume(opened: Open, tmp_path: Path) -> None:
    space = pausing()
    director = opened(space)
    paused(director, 1.0, 2.0, 3.0)
    done = read_done(tmp_path / "x", space, BASE, TOY_CORPUS)
    assert done is not None and done.open == 1


def test_a_limit_of_trials_ends_no_promotion(opened: Open) -> None:
    director = opened(pausing(stop=Stop(trials=6)))
    trials = paused(director, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert start(director).id == trials[1].id
    assert director.next() == Wait()
    finish(director, trials[0], 1.0)
    assert director.next() == Wait()
    assert director.trials[trials[2].id].state == "paused"  # what still runs may change nothing here, but ends first
    finish(director, trials[1], 1.0)
    assert director.next() == Done()
    assert director.trials[trials[2].id].state == "stopped"


def test_a_study_that_proposed_only_repeats_asks_on_when_the_last_running_trial_pauses(opened: Open) -> None:
    """Two settings, of a space that does not know how few it has: its sampler proposes them again and again."""
    strategy = Parameter("sleep.replay.strategy", Choice(("strict", "random")))
    director = opened(pausing(parameters=(strategy, Parameter("sleep.replay.ratio", Uniform(0.5, 0.5)))))
    first, second = start(director), start(director)
    reach(director, first, 1.0)
    finish(director, first, 1.0)
    assert director.next() == Wait()  # until the second trial has a result that a repeat can have
    assert reach(director, second, 2.0) is Decision.PAUSE
    assert director.next() == Done()
    assert {trial.state for trial in director.trials.values()} == {"completed", "stopped", "refused"}


def test_a_process_that_dies_as_it_pauses_is_not_restarted(opened: Open) -> None:
    director = opened()
    _, second = paused(director, 1.0), start(director)
    director.on_progress(second.id, progress(RUNG, rung=RUNG, value=2.0))
    assert director.pausing == 1
    assert director.on_lost(second.id) is None
    assert director.trials[second.id].state == "paused"
    third = start(director)
    director.on_progress(third.id, progress(RUNG, rung=RUNG, value=3.0))
    director = opened()  # killed as the third was about to pause
    assert director.trials[third.id].state == "paused"


def test_two_rungs_within_one_update(opened: Open) -> None:
    """A trial that must pause at the first is not judged at the second before it is promoted."""
    director = opened(pausing(scheduler=replace(PROMOTION, first_rung=0.1), stop=Stop(trials=30)))
    low = round(BUDGET / 9)
    first, *others = (start(director) for _ in range(6))
    reach(director, first, 1.0, low)
    finish(director, first, 1.0)
    second = others[0]
    for rung in (low, RUNG):
        assert director.on_progress(second.id, progress(rung, rung=rung, value=2.0)) is Decision.PAUSE
    director.on_end(second.id, outcome("paused", 2.0))
    for value, trial in enumerate(others[1:], 3):
        reach(director, trial, float(value), low)
    assert start(director).id == second.id
    assert set(director.trials[second.id].decisions) == {low, RUNG}


def test_a_study_that_is_resumed_without_promotion_stops_what_is_paused(opened: Open) -> None:
    director = opened()
    trials = paused(director, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    director = opened(pausing(scheduler=Scheduler(name="none")))
    while isinstance(work := director.next(), Trial):
        finish(director, work, 3.0)
    assert work == Done()
    assert {director.trials[trial.id].state for trial in trials[1:]} == {"stopped"}
    assert "scheduler" in (director.trials[trials[1].id].reason or "")


def finish_all(director: Director) -> list[str]:
    """Train everything that is left to its end; return the ids of what was started."""
    started = []
    while isinstance(work := director.next(), Trial):
        started.append(work.id)
        finish(director, work, 3.0)
    assert work == Done()
    return started


def test_trials_outside_a_changed_space_are_not_promoted(opened: Open) -> None:
    director = opened()
    trials = paused(director, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    director = opened(pausing(parameters=(Parameter("training.learning_rate", Choice((1e-3, 1e-4))),)))
    started = finish_all(director)
    assert not {trial.id for trial in trials[1:]} & set(started)
    for trial in trials[1:]:
        assert director.trials[trial.id].state == "stopped"
        assert "space" in (director.trials[trial.id].reason or "")


def test_paused_trials_of_a_baseline_that_is_not_tuned_any_more_are_stopped(opened: Open) -> None:
    rate = Parameter("training.learning_rate", Choice(tuple(1e-3 / number for number in range(1, 9))))
    tuned = pausing(
        parameters=(rate,), stop=Stop(trials=1), baselines={"epochs": Baseline(trials=6, parameters=(rate.key,))}
    )
    director = opened(tuned)
    trials = paused(director, *range(1, 8))
    director = opened(replace(tuned, baselines={"epochs": Baseline()}))
    started = finish_all(director)
    assert [name for name in started if name.startswith("epochs-t")] == [trials[1].id]  # it was running
    for trial in trials[2:]:
        assert director.trials[trial.id].state == "stopped"
        assert "epochs" in (director.trials[trial.id].reason or "")


def test_the_sampler_learns_what_a_paused_trial_is_worth_and_then_what_it_became(opened: Open) -> None:
    director = opened(pausing(stop=Stop(trials=6)))
    trials = paused(director, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    sampler = next(iter(director._history.studies)).sampler
    assert sampler.copy(trials[1].id).value == 2.0
    finish(director, start(director), 1.5)
    assert sampler.copy(trials[1].id).value == 1.5


def test_a_promoted_trial_counts_no_retry(opened: Open) -> None:
    director = opened(pausing(resources=Resources(max_retries=0)))
    trials = paused(director, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)
    assert (start(director).id, director.trials[trials[1].id].retries) == (trials[1].id, 0)
    assert director.on_lost(trials[1].id) is None
    assert director.trials[trials[1].id].kind == "infrastructure"
