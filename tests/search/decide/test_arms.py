"""Arms in a search: their runs over the fresh seeds, what each waits for, and how they grow."""

from dataclasses import replace
from pathlib import Path

from sleep_tune.experiment.experiment_file import describe_experiment
from sleep_tune.results.trial_tables import read_trials
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm, Baseline, Choice, Claim, Finalists, Parameter, Space, Stop
from sleep_tune.search.space.trial_configs import baseline_settings
from tests.search.studies import WORKER, open_search, plain

ARMS = {
    "none": Arm(settings={"sleep": "epochs"}),
    "strict": Arm(settings={"sleep": "strict", "sleep.folds": 20}),
    "short": Arm(like="strict", settings={"sleep.folds": 5}),
}
ALONE = plain(
    parameters=(),
    stop=Stop(trials=0),
    arms=ARMS,
    comparison=Claim(reference="none"),
    finalists=Finalists(count=3, seeds=2),
)


def runs(folder: Path, space: Space) -> dict[str, dict[int, object]]:
    """Run to the end; arm -> seed -> settings that its run of that seed was asked for with."""
    director = open_search(folder, space)
    run_inline(director, WORKER)
    director.close()
    found: dict[str, dict[int, object]] = {}
    for trial in director.trials.values():
        if trial.role != "search":
            assert trial.state == "completed"
            found.setdefault(trial.arm, {})[trial.seed] = trial.parameters
    return found


def test_arms_without_a_search_are_trained_over_the_same_seeds(tmp_path: Path) -> None:
    found = runs(tmp_path / "x", ALONE)
    assert len({tuple(by_seed) for by_seed in found.values()}) == 1
    assert {name: list(by_seed.values()) for name, by_seed in found.items()} == {
        "none": [dict(baseline_settings("epochs"))] * 2,
        "strict": [{"sleep.replay.strategy": "strict", "sleep.folds": 20}] * 2,
        "short": [{"sleep.replay.strategy": "strict", "sleep.folds": 5}] * 2,
    }
    table = read_trials(tmp_path / "x")
    assert set(table["role"]) == {"arm"}
    assert set(table["trial"]) == {f"{arm}-s{seed}" for arm, by_seed in found.items() for seed in by_seed}
    assert table["matched"].isna().all()
    experiment = describe_experiment(tmp_path / "x")
    assert experiment.arms == {
        "none": {"sleep": "epochs"},
        "strict": {"sleep": "strict", "sleep.folds": 20},
        "short": {"like": "strict", "sleep.folds": 5},
    }
    assert experiment.reference == "none"


def test_an_arm_that_is_added_later_is_trained_and_the_others_are_not_again(tmp_path: Path) -> None:
    few = replace(ALONE, arms={name: ARMS[name] for name in ("none", "strict")})
    before = runs(tmp_path / "x", few)
    after = runs(tmp_path / "x", ALONE)
    assert {name: after[name] for name in before} == before
    assert after.keys() == ARMS.keys()
    attempts = read_trials(tmp_path / "x")["attempt"]
    assert set(attempts) == {1}


def test_an_arm_that_is_changed_later_is_trained_anew_under_another_name(tmp_path: Path) -> None:
    runs(tmp_path / "x", ALONE)
    changed = {**ARMS, "strict": replace(ARMS["strict"], settings={"sleep": "strict", "sleep.folds": 8})}
    runs(tmp_path / "x", replace(ALONE, arms=changed))
    names = [str(name).rpartition("-s")[0] for name in read_trials(tmp_path / "x")["trial"]]
    assert {name: names.count(name) for name in names} == {"none": 2, "strict": 2, "short": 2, "strict-v2": 2}


def test_arms_like_what_a_search_finds_wait_for_it(tmp_path: Path) -> None:
    space = plain(
        stop=Stop(trials=3),
        baselines={"epochs": Baseline(trials=2, parameters=("training.learning_rate",))},
        arms={
            "best_random": Arm(like="best", settings={"sleep.replay.strategy": "random"}),
            "epochs_again": Arm(like="epochs"),
        },
    )
    rate = Parameter("training.learning_rate", Choice((1e-3, 1e-4)))
    space = replace(space, parameters=(*space.parameters, rate))
    director = open_search(tmp_path / "x", space)
    run_inline(director, WORKER)
    best = director.best()
    assert best is not None
    tuned = next(director.state.ranking("epochs"))
    found = {trial.arm: trial.parameters for trial in director.trials.values() if trial.role == "arm"}
    assert found == {
        "best_random": {**best.parameters, "sleep.replay.strategy": "random"},
        "epochs_again": {**baseline_settings("epochs"), **tuned.parameters},
    }
    director.close()
