"""A search resumes under another space: no trial is lost, the sampler learns from those that fit, new limits hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.event_log import read_events
from sleep_tune.records import Decision, Outcome
from sleep_tune.search.decide.director import Director
from sleep_tune.search.run.fake_worker import FakeWorker
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Claim,
    Finalists,
    Int,
    Parameter,
    Resources,
    Scheduler,
    Search,
    Space,
    Stop,
    Uniform,
)
from tests.made import make_old
from tests.messages import raises_naming
from tests.search.studies import BASE, BUDGET, WORKER, open_search, outcome, plain, progress, search, start


def trained(folder: Path, space: Space) -> list[str]:
    """Run on to the end; who was trained in this session."""
    names: list[str] = []

    def count(config: RunConfig, report: Any) -> Outcome:
        names.append(str(config.run.name))
        return WORKER(config, report)

    director = open_search(folder, space)
    run_inline(director, count)
    assert director.finished
    director.close()
    return names


def of_search(director: Director) -> list[str]:
    return [trial.id for trial in director.trials.values() if trial.study == "search" and trial.state != "refused"]


def test_a_finished_search_is_given_more_trials(tmp_path: Path) -> None:
    before = search(tmp_path / "x", plain(stop=Stop(trials=3)))
    names = trained(tmp_path / "x", plain(stop=Stop(trials=6)))
    after = search(tmp_path / "x", plain(stop=Stop(trials=6)))
    assert len(names) == 3
    assert {name: after[name] for name in before} == before
    changed = [event for event in read_events(tmp_path / "x" / "trials.jsonl") if event.event == "changed"]
    assert [event.data["differences"] for event in changed] == [["stop.trials: 3 -> 6"]]
    assert yaml.safe_load((tmp_path / "x" / "experiment.yaml").read_text())["space"]["stop"]["trials"] == 6


def test_a_space_grown_step_by_step_or_at_once_is_the_same(tmp_path: Path) -> None:
    """Without finalists or baselines between, and with nothing refused in between."""
    for trials in (2, 4, 7):
        grown = search(tmp_path / "x", plain(stop=Stop(trials=trials)))
    assert grown == search(tmp_path / "y", plain(stop=Stop(trials=7)))


def test_fewer_trials_end_a_search_and_lose_none(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(stop=Stop(trials=6)))
    for _ in range(4):
        start(director)
    director.close()
    names = trained(tmp_path / "x", plain(stop=Stop(trials=2)))
    assert len(names) == 4


def test_a_wider_space_keeps_what_fits(tmp_path: Path) -> None:
    """Every old trial lies in the wider space: the sampler learns from it, and it is not trained twice."""
    narrow = plain(parameters=(Parameter("sleep.folds", Choice((5, 10))),), stop=Stop(trials=2))
    search(tmp_path / "x", narrow)
    wide = replace(narrow, parameters=(Parameter("sleep.folds", Choice((5, 10, 20))),), stop=Stop(trials=9))
    director = open_search(tmp_path / "x", wide)
    run_inline(director, WORKER)
    assert director.ended == "all 3 settings of the space have been tried"
    assert sorted(director.trials[name].parameters["sleep.folds"] for name in of_search(director)) == [5, 10, 20]  # type: ignore[type-var]
    director.close()


def test_a_narrower_space_leaves_the_rest_in_the_tables(tmp_path: Path) -> None:
    """Those outside count as trained, and are no longer compared, chosen or built upon."""
    search(tmp_path / "x", plain(parameters=(Parameter("sleep.folds", Choice((5, 10, 20))),), stop=Stop(trials=3)))
    narrow = plain(
        parameters=(Parameter("sleep.folds", Choice((5, 10, 30))),),
        stop=Stop(trials=4),
        finalists=Finalists(count=3, seeds=1),
    )
    director = open_search(tmp_path / "x", narrow)
    outside = next(trial for trial in director.trials.values() if trial.parameters == {"sleep.folds": 20})
    assert outside.point is None
    run_inline(director, WORKER)
    assert len(of_search(director)) == 4
    assert outside.state in ("completed", "stopped")
    assert outside.id not in {trial.arm for trial in director.trials.values() if trial.role == "finalist"}
    director.close()


def test_a_parameter_added_and_one_taken_away(tmp_path: Path) -> None:
    folds, ratio = Parameter("sleep.folds", Choice((5, 10))), Parameter("sleep.replay.ratio", Choice((0.3, 0.25)))
    search(tmp_path / "x", plain(parameters=(folds,), stop=Stop(trials=2)))
    names = trained(tmp_path / "x", plain(parameters=(folds, ratio), stop=Stop(trials=9)))
    assert len(names) == 2  # the two with the base's ratio are known
    assert trained(tmp_path / "x", plain(parameters=(ratio,), stop=Stop(trials=9))) == []  # with the base's 10 folds


def test_rungs_and_groups_are_the_present_scheduler_s(tmp_path: Path) -> None:
    """A value that is pruned among all trials is promoted if only trials of its own group are compared."""
    parameters = (Parameter("sleep.folds", Choice((5, 10))), Parameter("sleep.replay.ratio", Uniform(0.1, 0.9)))
    space = plain(parameters=parameters, scheduler=Scheduler(first_rung=0.3, reduction=3))
    director = open_search(tmp_path / "x", space)
    rung = round(director.rungs[0] * BUDGET)
    trials = [start(director) for _ in range(6)]
    folds = {trial.id: trial.parameters["sleep.folds"] for trial in trials}
    first = trials[0]
    other = next(trial for trial in trials if folds[trial.id] != folds[first.id])
    director.on_progress(first.id, progress(rung, rung=rung, value=1.0))
    director._held.close()
    director = open_search(tmp_path / "x", replace(space, scheduler=replace(space.scheduler, within="sleep.folds")))
    for _ in trials:
        again = start(director)
    assert director.trials[other.id].group == str(folds[other.id])
    assert director.on_progress(other.id, progress(rung, rung=rung, value=2.0)) is Decision.CONTINUE
    same = next(trial for trial in trials[1:] if folds[trial.id] == folds[first.id])
    assert director.on_progress(same.id, progress(rung, rung=rung, value=2.0)) is Decision.STOP
    assert again.config["evaluation"]["rungs"] == list(director.rungs)
    director.close()


def test_values_at_other_rungs_are_not_compared(tmp_path: Path) -> None:
    space = plain(scheduler=Scheduler(first_rung=0.3, reduction=3))
    director = open_search(tmp_path / "x", space)
    first, second = start(director), start(director)
    rung = round(director.rungs[0] * BUDGET)
    director.on_progress(first.id, progress(rung, rung=rung, value=1.0))
    director.close()
    director = open_search(tmp_path / "x", replace(space, scheduler=Scheduler(first_rung=0.5, reduction=2)))
    assert (start(director).id, start(director).id) == (first.id, second.id)
    other = round(director.rungs[0] * BUDGET)
    assert director.on_progress(second.id, progress(other, rung=other, value=2.0)) is Decision.CONTINUE
    director.close()


def test_a_rung_of_another_scheduler_is_not_judged_later(tmp_path: Path) -> None:
    """Reported, and killed before the decision: the next session has no such rung."""
    space = plain(scheduler=Scheduler(first_rung=0.3, reduction=3))
    director = open_search(tmp_path / "x", space)
    rung = round(director.rungs[0] * BUDGET)
    for value in (1.0, 2.0):
        director.on_progress(start(director).id, progress(rung, rung=rung, value=value))
    director._held.close()
    lines = (tmp_path / "x" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "x" / "trials.jsonl").write_bytes(b"".join(lines[:-1]))  # the decision to stop
    director = open_search(tmp_path / "x", replace(space, scheduler=Scheduler(name="none")))
    assert [trial.state for trial in director.trials.values()] == ["waiting", "waiting"]
    director.close()


def test_more_seeds_finalists_and_baselines(tmp_path: Path) -> None:
    finalists = Finalists(count=1, seeds=2, first_seed=40)
    space = plain(stop=Stop(trials=4), baselines={"epochs": Baseline()}, finalists=finalists)
    first = trained(tmp_path / "x", space)
    assert len([name for name in first if "-s" in name]) == 4
    grown = replace(finalists, count=2, seeds=3)
    more = replace(space, baselines={"epochs": Baseline(), "as_epochs": Baseline()}, finalists=grown)
    second = trained(tmp_path / "x", more)
    assert {"epochs-s42", "as_epochs-s40", "as_epochs-s41", "as_epochs-s42"} <= set(second)
    assert len(second) == 1 + 3 + 1 + 3
    assert not set(first) & set(second)
    fewer = replace(space, baselines={}, finalists=replace(finalists, seeds=1))
    assert trained(tmp_path / "x", fewer) == []


def test_a_baseline_tuned_anew_has_runs_of_its_own(tmp_path: Path) -> None:
    """The runs of the settings that were best before stay, under their name; those of the new best have another."""
    rate = Parameter("training.learning_rate", Choice((1e-3, 1e-4, 1e-5)))
    finalists = Finalists(count=0, seeds=1, first_seed=6)
    space = plain(parameters=(rate,), stop=Stop(trials=1), baselines={"epochs": Baseline()}, finalists=finalists)
    assert {"epochs-s6"} <= set(trained(tmp_path / "x", space))
    tuned = replace(space, baselines={"epochs": Baseline(trials=3, parameters=("training.learning_rate",))})
    assert "epochs-v2-s6" in trained(tmp_path / "x", tuned)
    director = open_search(tmp_path / "x", tuned)
    assert director.trials["epochs-v2-s6"].arm == "epochs"
    best = next(director.state.ranking("epochs"))
    director.close()
    assert director.trials["epochs-v2-s6"].parameters == best.parameters
    assert trained(tmp_path / "x", space) == []  # back to the untuned one, whose runs are there


def test_the_reserve_is_fixed_when_the_runs_over_fresh_seeds_begin(tmp_path: Path) -> None:
    space = plain(stop=Stop(trials=2), baselines={"epochs": Baseline()}, finalists=Finalists(count=0, seeds=2))
    director = open_search(tmp_path / "x", replace(space, comparison=Claim(reserve=0.3)))
    start(director)
    director.close()
    trained(tmp_path / "x", space)
    read = read_events(tmp_path / "x" / "trials.jsonl")
    assert ["comparison.reserve: 0.3 -> 0.1"] in [event.data.get("differences") for event in read]
    with raises_naming(RunFolderError, str(tmp_path / "x"), "comparison.reserve=0.1", "comparison.reserve=0.2"):
        open_search(tmp_path / "x", replace(space, comparison=Claim(reserve=0.2)))
    assert read_events(tmp_path / "x" / "trials.jsonl") == read


def test_a_study_of_an_earlier_version_gets_no_reserve(tmp_path: Path) -> None:
    space = plain(stop=Stop(trials=2), baselines={"epochs": Baseline()}, finalists=Finalists(count=0, seeds=2))
    search(tmp_path / "x", space)
    make_old(tmp_path / "x" / "trials.jsonl", lambda lines: lines[0]["data"]["study"]["comparison"].pop("reserve"))
    open_search(tmp_path / "x", space).close()
    with raises_naming(RunFolderError, str(tmp_path / "x"), "without comparison.reserve", "comparison.reserve=0.2"):
        open_search(tmp_path / "x", replace(space, comparison=Claim(reserve=0.2)))


def test_another_sampler(tmp_path: Path) -> None:
    search(tmp_path / "x", plain(stop=Stop(trials=2)))
    grown = plain(stop=Stop(trials=4), search=Search(algorithm="random", seed=1, startup=3))
    assert len(trained(tmp_path / "x", grown)) == 2


def test_where_a_finished_search_might_run_is_no_change(tmp_path: Path) -> None:
    search(tmp_path / "x", plain())
    before = (tmp_path / "x" / "trials.jsonl").read_bytes()
    open_search(tmp_path / "x", plain(resources=Resources(max_retries=9))).close()
    assert (tmp_path / "x" / "trials.jsonl").read_bytes() == before


def test_a_kill_between_the_log_and_the_description(tmp_path: Path) -> None:
    """The log says what the space is; the next session brings the description up to date."""
    search(tmp_path / "x", plain(stop=Stop(trials=2)))
    old = (tmp_path / "x" / "experiment.yaml").read_bytes()
    director = open_search(tmp_path / "x", plain(stop=Stop(trials=3)))
    director._held.close()
    (tmp_path / "x" / "experiment.yaml").write_bytes(old)
    assert len(trained(tmp_path / "x", plain(stop=Stop(trials=3)))) == 1
    assert yaml.safe_load((tmp_path / "x" / "experiment.yaml").read_text())["space"]["stop"]["trials"] == 3
    events = [event.event for event in read_events(tmp_path / "x" / "trials.jsonl")]
    assert events.count("changed") == 1


def test_a_log_of_an_earlier_version_grows_too(tmp_path: Path) -> None:
    """Its first event does not hold the space: the description does."""
    search(tmp_path / "x", plain(stop=Stop(trials=2)))
    make_old(tmp_path / "x" / "trials.jsonl", lambda lines: lines[0]["data"].pop("study"))
    assert len(trained(tmp_path / "x", plain(stop=Stop(trials=3)))) == 1


@pytest.mark.parametrize("stop", [Stop(no_improvement=1), Stop(hours=1e-9)])
def test_a_search_that_ended_otherwise_asks_on(stop: Stop, tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(stop=stop), clock=iter(range(10**6)).__next__)
    run_inline(director, WORKER)
    before = len(of_search(director))
    director.close()
    director = open_search(tmp_path / "x", plain(stop=Stop(trials=before + 2)), clock=iter(range(10**6)).__next__)
    run_inline(director, FakeWorker())
    assert len(of_search(director)) == before + 2
    director.close()


def test_what_was_running_is_trained_to_its_end(tmp_path: Path) -> None:
    """Even if the space would no longer ask for it: it is not compared with what fits."""
    director = open_search(tmp_path / "x", plain(parameters=(Parameter("sleep.folds", Int(1, 10)),)))
    trial = start(director)
    director.close()
    narrow = plain(parameters=(Parameter("sleep.folds", Int(20, 30)),), stop=Stop(trials=1))
    director = open_search(tmp_path / "x", narrow)
    again = start(director)
    assert (again.id, again.attempt, again.config["sleep"]["folds"]) == (trial.id, 2, trial.config["sleep"]["folds"])
    director.on_end(again.id, outcome("completed", 1.0))
    assert director.best() is None
    director.close()


def test_the_base_is_compared_composed(tmp_path: Path) -> None:
    search(tmp_path / "x", plain(stop=Stop(trials=1)))
    director = Director(plain(stop=Stop(trials=1), base={"sleep.folds": 10}), BASE, WORKER.corpus, tmp_path / "x")
    assert director.finished
    director.close()
