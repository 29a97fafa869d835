"""What the director gives out, decides and remembers."""

import json
import math
from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sleep_tune.config.schema import RunConfig
from sleep_tune.errors import ConfigError
from sleep_tune.records import SCHEMA, Decision, Outcome
from sleep_tune.search.decide.director import Done, Wait
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Finalists,
    Objective,
    Parameter,
    Resources,
    Scheduler,
    Search,
    Stop,
    Uniform,
)
from tests.search.studies import BASE, BUDGET, WORKER, open_search, outcome, plain, progress, search, start, study


@settings(max_examples=8)
@given(
    seed=st.integers(0, 50),
    algorithm=st.sampled_from(["tpe", "random"]),
    scheduler=st.sampled_from(["asha", "none"]),
    trials=st.integers(1, 6),
)
def test_every_trial_ends(
    seed: int, algorithm: str, scheduler: str, trials: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    space = study(
        search=Search(algorithm=algorithm, seed=seed, startup=2),
        scheduler=Scheduler(name=scheduler, within="sleep.folds"),
        stop=Stop(trials=trials),
    )
    folder = tmp_path_factory.mktemp("x")
    director = open_search(folder, space)
    run_inline(director, WORKER)
    states = {trial.state for trial in director.trials.values()}
    assert director.finished
    assert states <= {"completed", "stopped", "failed", "refused"}
    trained = [t for t in director.trials.values() if t.study == "search" and t.state != "refused"]
    assert len(trained) == trials
    director.close()


def test_rungs_compare_within_groups(tmp_path: Path) -> None:
    """A worse value is promoted as the first of its group, and is pruned as the second of another group."""
    parameters = (
        Parameter("sleep.length.passes", Choice((1.0, 5.0))),
        Parameter("sleep.replay.ratio", Uniform(0.1, 1)),
    )
    scheduler = Scheduler(first_rung=0.3, reduction=3, within="sleep.length.passes")
    director = open_search(tmp_path / "x", plain(parameters=parameters, scheduler=scheduler, stop=Stop(trials=12)))
    rung = round(director.rungs[0] * BUDGET)
    arrived: dict[str, int] = {}
    for number in range(8):
        trial = start(director)
        assert trial.group == str(trial.parameters["sleep.length.passes"])
        decision = director.on_progress(trial.id, progress(rung, rung=rung, value=float(number)))
        is_first = trial.group not in arrived  # values get worse, so only the first of a group is its best
        assert decision is (Decision.CONTINUE if is_first else Decision.STOP)
        arrived[trial.group] = arrived.get(trial.group, 0) + 1
    assert len(arrived) == 2
    director.close()


@pytest.mark.parametrize("reduction", [1.2, 1.5, 3.0, 7.0])
def test_every_rung_below_the_end_is_judged_wherever_its_words_are_rounded_to(tmp_path: Path, reduction: float) -> None:
    """Runs report at whole words, and two thirds of a million are not: a rung without decisions stops no trial."""
    scheduler = Scheduler(first_rung=0.1, reduction=reduction)
    director = open_search(tmp_path / "x", plain(scheduler=scheduler, stop=Stop(trials=3)))
    run_inline(director, WORKER)
    reported = {name: {rung for rung in trial.rungs if rung < BUDGET} for name, trial in director.trials.items()}
    assert {name: trial.decisions.keys() for name, trial in director.trials.items()} == reported
    assert any(reported.values())
    director.close()


def test_rungs_compare_within_a_study(tmp_path: Path) -> None:
    """A tuned baseline's trials compete with each other, and not with the search's."""
    rate = Parameter("training.learning_rate", Uniform(1e-4, 1e-2))
    baselines = {"epochs": Baseline(trials=1, parameters=(rate.key,))}
    director = open_search(tmp_path / "x", plain(parameters=(rate,), stop=Stop(trials=1), baselines=baselines))
    rung = round(director.rungs[0] * BUDGET)
    ours, theirs = start(director), start(director)
    assert [director.trials[trial.id].study for trial in (ours, theirs)] == ["search", "epochs"]
    for trial, value in ((ours, 1.0), (theirs, 9.0)):
        assert director.on_progress(trial.id, progress(rung, rung=rung, value=value)) is Decision.CONTINUE
    director.close()


def test_trials_are_ranked_by_their_values_at_the_end_of_the_budget(tmp_path: Path) -> None:
    """Not by the best value on the way, nor by one at a rung: a curve that turns up again is worse for it."""
    director = open_search(tmp_path / "x", plain())
    rung = round(director.rungs[0] * BUDGET)
    for early, late in ((1.0, 2.0), (0.5, 3.0)):
        trial = start(director)
        assert director.on_progress(trial.id, progress(rung, rung=rung, value=early)) is Decision.CONTINUE
        director.on_progress(trial.id, progress(BUDGET, rung=BUDGET, value=late))
        director.on_end(trial.id, outcome("completed", late))
    assert [(trial.id, trial.value) for trial in director.state.ranking("search")] == [("t0001", 2.0), ("t0002", 3.0)]
    director.close()


def test_nothing_is_decided_at_the_end_of_the_budget(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain())
    for value in (1.0, 2.0, 3.0):
        trial = start(director)
        assert director.on_progress(trial.id, progress(BUDGET, rung=BUDGET, value=value)) is Decision.CONTINUE
        director.on_end(trial.id, outcome("completed", value))
    best = director.best()
    assert best is not None
    assert (best.id, best.value) == ("t0001", 1.0)
    director.close()


def test_a_rung_reported_again_is_answered_as_before(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain())
    rung = round(director.rungs[0] * BUDGET)
    first, second = start(director), start(director)
    director.on_progress(first.id, progress(rung, rung=rung, value=1.0))
    assert director.on_progress(second.id, progress(rung, rung=rung, value=2.0)) is Decision.STOP
    assert director.on_progress(second.id, progress(rung, rung=rung, value=0.0)) is Decision.STOP
    assert director.on_progress(second.id, progress(rung + 1)) is Decision.STOP
    assert director.trials[second.id].rungs == {rung: 2.0}
    director.close()


def test_everything_is_logged_before_it_is_known(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain())
    trial = start(director)
    rung = round(director.rungs[0] * BUDGET)
    director.on_progress(trial.id, progress(10))
    director.on_progress(trial.id, progress(rung, rung=rung, value=math.nan))
    lines = [json.loads(line) for line in (tmp_path / "x" / "trials.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["opened", "asked", "started", "report", "rung"]
    assert lines[-1]["data"]["decision"] == "stop"
    assert all(line["schema"] == SCHEMA for line in lines)
    director.close()


def test_configurations(tmp_path: Path) -> None:
    """Search trials have no test; baselines and finalists have rungs of their own, over shared fresh seeds."""
    baselines = {"epochs": Baseline(), "as_epochs": Baseline()}
    space = study(baselines=baselines, finalists=Finalists(count=2, seeds=2, first_seed=30))
    director = open_search(tmp_path / "x", space)
    configs: dict[str, RunConfig] = {}

    def remember(config: RunConfig, report: Any) -> Outcome:
        configs[str(config.run.name)] = config
        return WORKER(config, report)

    run_inline(director, remember)
    director.close()
    for name, config in configs.items():
        trial = director.trials[name]
        assert config.run.dir == str(tmp_path / "x" / "trials" / name)
        assert config.training.seed == trial.seed
        assert config.evaluation.test == (trial.role != "search")
        assert config.evaluation.rungs == (director.rungs if trial.role == "search" else (0.25, 0.5, 0.75))
        assert config.budget == BASE.budget
    assert configs["epochs-s30"].sleep.length.ratio == 0
    assert configs["epochs-s30"].sleep.length.passes is None
    assert configs["as_epochs-s31"].sleep.replay.ratio == 1
    seeds: dict[str, list[int]] = {}
    for trial in director.trials.values():
        if trial.role != "search":
            seeds.setdefault(trial.arm, []).append(trial.seed)
    assert len(seeds) == 4
    assert all(of_arm == [30, 31] for of_arm in seeds.values())


def test_finalists_are_the_best_that_completed(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x")
    run_inline(director, WORKER)
    done = [t for t in director.trials.values() if t.study == "search" and t.state == "completed"]
    best = sorted(done, key=lambda trial: trial.value or 0)[:2]
    finalists = [t for t in director.trials.values() if t.role == "finalist"]
    assert [t.arm for t in finalists] == [best[0].id, best[0].id, best[1].id, best[1].id]
    assert all(t.parameters == director.trials[t.arm].parameters for t in finalists)
    assert director.best() is best[0]
    director.close()


def test_a_tuned_baseline_takes_its_own_best(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x")
    run_inline(director, WORKER)
    own = [t for t in director.trials.values() if t.study == "epochs" and t.state == "completed"]
    assert all(t.role == "search" and t.arm == "epochs" and t.id.startswith("epochs-t") for t in own)
    best = min(own, key=lambda trial: trial.value or 0)
    runs = [t for t in director.trials.values() if t.role == "baseline" and t.arm == "epochs"]
    assert [t.parameters for t in runs] == [best.parameters] * 2
    director.close()


def test_baselines_fill_slots_while_the_search_drains(tmp_path: Path) -> None:
    finalists = Finalists(count=1, seeds=1, first_seed=7)
    space = plain(stop=Stop(trials=2), baselines={"epochs": Baseline()}, finalists=finalists)
    director = open_search(tmp_path / "x", space)
    first, second, third = start(director), start(director), start(director)
    assert (first.role, second.role, third.id) == ("search", "search", "epochs-s7")
    assert director.next() == Wait()
    director.on_end(third.id, outcome("completed", 1.0))
    director.on_end(first.id, outcome("completed", 1.0))
    assert director.next() == Wait()
    director.on_end(second.id, outcome("completed", 2.0))
    last = start(director)
    assert last.id == f"{first.id}-s7"
    director.on_end(last.id, outcome("completed", 2.0))
    assert director.next() == Done()
    assert director.next() == Done()
    director.close()


def test_a_lost_process_is_retried(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(resources=Resources(max_retries=2)))
    trial = start(director)
    for attempt in (2, 3):
        again = director.on_lost(trial.id)
        assert again is not None
        assert (again.id, again.attempt) == (trial.id, attempt)
    assert director.on_lost(trial.id, "killed by signal 9", "logs/t0001.log") is None
    failed = director.trials[trial.id]
    assert (failed.state, failed.kind, failed.log) == ("failed", "infrastructure", "logs/t0001.log")
    assert failed.reason == "killed by signal 9 after 3 attempts"
    director.close()


def test_a_run_that_is_killed_for_memory_again_and_again_has_run_out_of_memory(tmp_path: Path) -> None:
    """Another process may have taken the memory, so it is tried again; but not proposed again for ever."""
    director = open_search(tmp_path / "x", plain(resources=Resources(max_retries=1)))
    trial = start(director)
    assert director.on_lost(trial.id, killer="the kernel") is not None
    assert director.trials[trial.id].killer == "the kernel"
    assert director.on_lost(trial.id, killer="Ray") is None
    failed = director.trials[trial.id]
    assert (failed.state, failed.kind) == ("failed", "out_of_memory")
    assert failed.reason is not None
    for told in ("memory ran out on its machine", "Ray killed", "after 2 attempts", "training.batch_size"):
        assert told in failed.reason
    director.close()


def test_a_failure_of_the_settings_is_reported_to_the_sampler(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain())
    trial = start(director)
    director.on_failure(trial.id, "CUDA out of memory", "out_of_memory")
    director.on_end(trial.id, outcome("completed", 1.0))
    assert director.trials[trial.id].state == "failed"
    assert director.best() is None
    director.close()


def test_the_sampler_learns_what_a_stopped_trial_was_worth_at_its_last_rung(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain())
    first, second = (round(share * BUDGET) for share in director.rungs[:2])
    better, worse = start(director), start(director)
    director.on_progress(better.id, progress(first, rung=first, value=2.5))
    director.on_progress(better.id, progress(second, rung=second, value=1.0))
    director.on_progress(worse.id, progress(first, rung=first, value=2.0))
    assert director.on_progress(worse.id, progress(second, rung=second, value=1.5)) is Decision.STOP
    director.on_end(worse.id, outcome("stopped", 1.5))
    learnt = next(iter(director._history.studies)).sampler.copy(worse.id)
    assert (learnt.value, learnt.intermediate_values) == (1.5, {first: 2.0, second: 1.5})
    director.close()


def test_a_value_that_is_not_finite_at_the_end_is_divergence(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain())
    trial = start(director)
    director.on_end(trial.id, outcome("completed", math.inf))
    assert director.trials[trial.id].kind == "diverged"
    director.close()


def test_an_interrupted_run_is_left_for_the_next_session(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain())
    trial = start(director)
    director.on_end(trial.id, outcome("stopped", 1.0))
    assert director.trials[trial.id].state == "running"
    director.close()


def test_an_objective_that_is_not_reported(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(objective=Objective(metric="eval/pairs_accuracy", mode="max")))
    trial = start(director)
    with pytest.raises(ConfigError, match=r"unknown objective.metric 'eval/pairs_accuracy'; choose one of: eval/nll"):
        director.on_progress(trial.id, progress(BUDGET, rung=BUDGET))
    director.close()


def test_the_other_direction(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", plain(objective=Objective(metric="eval/pairs_accuracy", mode="max")))
    run_inline(director, WORKER)
    values = [t.value for t in director.trials.values() if t.value is not None]
    best = director.best()
    assert best is not None
    assert best.value == max(values)
    director.close()


def test_the_journal_is_a_study_for_the_dashboard(tmp_path: Path) -> None:
    decided = search(tmp_path / "x")
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "x" / "optuna.journal")))
    copied = optuna.load_study(study_name="small", storage=storage)
    own = [name for name, trial in decided.items() if trial[3] == "search"]
    assert len(copied.trials) == len(own)
    assert copied.best_value == min(
        float(trial[9]) for trial in decided.values() if trial[3] == "search" and trial[9] != "None"
    )
