"""Arms in a search: their runs over the fresh seeds, what each waits for, and how they grow."""

import contextlib
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import flatten
from sleep_tune.errors import UserError
from sleep_tune.experiment.experiment_file import describe_experiment
from sleep_tune.records import Outcome
from sleep_tune.results.comparison import compare
from sleep_tune.results.report.page import write_report
from sleep_tune.results.trial_tables import read_curves, read_trials
from sleep_tune.search.decide.director import Director, Done, Trial, Wait
from sleep_tune.search.run.inline import run_inline
from sleep_tune.search.space.search_space import Arm, Baseline, Choice, Claim, Finalists, Parameter, Space, Stop
from sleep_tune.search.space.trial_configs import baseline_settings
from tests.messages import missing
from tests.search.studies import (
    BUDGET,
    WORKER,
    Killed,
    killed_after,
    open_search,
    outcome,
    plain,
    progress,
    search,
    start,
    study,
)

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


def test_a_study_of_arms_alone_has_a_report(tmp_path: Path) -> None:
    """Its runs have curves, and its search has none."""
    runs(tmp_path / "x", ALONE)
    assert len(read_curves(tmp_path / "x"))
    comparison = compare(tmp_path / "x")
    assert [arm.name for arm in comparison.arms] == ["none", "strict", "short"]
    assert write_report(tmp_path / "x", comparison).is_file()


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


def test_an_arm_that_is_removed_stays_in_the_table_and_the_notes_say_so(tmp_path: Path) -> None:
    """What was looked at counts, and a removed control is not taken for a baseline with the settings of the base."""
    runs(tmp_path / "x", CONTROLLED)
    runs(tmp_path / "x", replace(CONTROLLED, arms={"none": ARMS["none"], "strict": ARMS["strict"]}))
    comparison = compare(tmp_path / "x")
    assert {arm.name for arm in comparison.arms} == set(CONTROLLED.arms)
    named = {name: [note for note in comparison.notes if name in note] for name in ("of_strict", "of_none")}
    assert all(any("not state any more" in note for note in notes) for notes in named.values())
    assert not [note for note in comparison.notes if note.startswith("Not tuned")]


def test_an_arm_that_is_changed_back_is_compared_by_its_first_runs(tmp_path: Path) -> None:
    """Nothing is trained again, and its control is that of these runs, too."""
    runs(tmp_path / "x", CONTROLLED)
    changed = {**CONTROLLED.arms, "strict": replace(ARMS["strict"], settings={"sleep": "strict", "sleep.folds": 8})}
    for arms, folds in ((changed, 8), (CONTROLLED.arms, 20), (changed, 8)):
        runs(tmp_path / "x", replace(CONTROLLED, arms=arms))
        compared = {arm.name: arm for arm in compare(tmp_path / "x").arms}
        assert compared["strict"].parameters["sleep.folds"] == folds
        assert compared["of_strict"].parameters["sleep.folds"] == folds
        assert compared["none"].seeds == compared["strict"].seeds == compared["of_strict"].seeds
    table = read_trials(tmp_path / "x")
    assert len(table) == 2 * (4 + 2)
    later = table.loc[~table["earlier"] & table["arm"].isin(["strict", "of_strict"]), "trial"]
    assert {str(name).rpartition("-s")[0] for name in later} == {"strict-v2", "of_strict-v2"}


def test_a_run_that_ended_the_session_is_not_trained_again_once_its_arm_is_changed(tmp_path: Path) -> None:
    """Nor once its arm is no more. It waits again when the arm has its settings again, and its control waits for it."""
    broken = {**CONTROLLED.arms, "strict": Arm(settings={"sleep.folds": 7})}
    director = open_search(tmp_path / "x", replace(CONTROLLED, arms=broken))
    with contextlib.suppress(UserError):
        run_inline(director, refusing_folds(7))
    waiting = next(director.state.open_trials())
    assert (waiting.arm, waiting.attempt) == ("strict", 1)
    director.close()
    without = {name: arm for name, arm in CONTROLLED.arms.items() if "strict" not in name}
    for arms, reason in ((CONTROLLED.arms, "strict has other settings"), (without, "no arm strict")):
        copy = tmp_path / reason / "x"
        shutil.copytree(tmp_path / "x", copy)
        director = open_search(copy, replace(CONTROLLED, arms=arms))
        run_inline(director, refusing_folds(7))
        dropped = director.trials[waiting.id]
        assert (dropped.state, dropped.kind) == ("refused", "dropped")
        assert not missing(dropped.reason, reason)
        director.close()
        assert set(read_trials(copy).query("state == 'completed'")["arm"]) == set(arms)
        director = open_search(copy, replace(CONTROLLED, arms=broken))
        run_inline(director, WORKER)
        director.close()
        table = read_trials(copy).query("~earlier").set_index("trial")
        assert set(table["state"]) == {"completed"}
        assert waiting.id in table.index
        assert set(table.loc[table["arm"] == "of_strict", "matched"]) == set(table.index[table["arm"] == "strict"])


def refusing_folds(folds: int) -> Any:
    """A worker that cannot train with this number of folds, and says so as a user's mistake."""

    def train(config: RunConfig, report: Any) -> Outcome:
        if config.sleep.folds == folds:
            raise UserError("it cannot be trained")
        return WORKER(config, report)

    return train


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


CONTROLLED = replace(
    ALONE,
    arms={
        "of_strict": Arm(matched="strict"),
        "none": ARMS["none"],
        "strict": ARMS["strict"],
        "of_none": Arm(matched="none"),
    },
)


def finish(director: Director, trial: Trial, value: float = 2.0) -> None:
    director.on_progress(trial.id, progress(BUDGET, rung=BUDGET, value=value))
    director.on_end(trial.id, outcome("completed", value))


def test_a_control_starts_when_the_run_of_its_seed_has_completed_that_it_is_matched_to(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", CONTROLLED)
    none, _, strict, other = (start(director) for _ in range(4))
    assert [trial.arm for trial in (none, strict, other)] == ["none", "strict", "strict"]
    assert director.next() == Wait()  # nothing else is due, and the search is not over
    finish(director, other)
    control = start(director)
    assert (control.id, control.arm, control.seed) == (f"of_strict-s{other.seed}", "of_strict", other.seed)
    assert director.next() == Wait()
    assert control.parameters == other.parameters
    assert control.config["sleep"]["matched"] == str((tmp_path / "x" / "trials" / other.id).resolve())
    assert other.config["sleep"]["matched"] is None
    different = {key for key, value in flatten(other.config).items() if flatten(control.config)[key] != value}
    assert different == {"run.name", "run.dir", "tracking.arm", "sleep.matched"}
    assert director.trials[control.id].matched == other.id
    finish(director, none)
    assert start(director).id == f"of_none-s{none.seed}"
    director.close()
    table = read_trials(tmp_path / "x").set_index("trial")
    assert table.loc[control.id, "matched"] == other.id


def test_the_search_is_over_when_the_last_control_is(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", CONTROLLED)
    trials = [start(director) for _ in range(4)]
    for trial in trials:
        finish(director, trial)
    controls = [start(director) for _ in range(4)]
    assert {trial.arm for trial in controls} == {"of_strict", "of_none"}
    for trial in controls:
        assert director.next() == Wait()
        finish(director, trial)
    assert director.next() == Done()
    assert director.finished
    director.close()


def test_a_control_fails_with_the_run_that_it_is_matched_to(tmp_path: Path) -> None:
    director = open_search(tmp_path / "x", replace(CONTROLLED, finalists=Finalists(count=0, seeds=1)))
    none, strict = start(director), start(director)
    finish(director, none)
    director.on_failure(strict.id, "loss is nan", "diverged")
    run_inline(director, WORKER)
    control = director.trials[f"of_strict-s{strict.seed}"]
    assert (control.state, control.kind, control.attempt) == ("failed", "parent", 0)
    assert not missing(control.reason, f"{strict.id}|loss is nan")
    assert director.trials[f"of_none-s{none.seed}"].state == "completed"
    assert director.finished
    director.close()


def test_a_control_is_trained_when_the_next_session_has_trained_its_parent(tmp_path: Path) -> None:
    """A bug ends the search; the parent is trained again when it is resumed, and then the control."""
    space = replace(CONTROLLED, finalists=Finalists(count=0, seeds=1))
    director = open_search(tmp_path / "x", space)
    none, strict = start(director), start(director)
    director.on_failure(strict.id, "KeyError: 'x'", "bug")
    assert director.next() == Wait()
    assert f"of_strict-s{strict.seed}" not in director.trials
    director.close()
    director = open_search(tmp_path / "x", space)
    run_inline(director, WORKER)
    states = {trial.id: trial.state for trial in director.trials.values()}
    ids = [none.id, strict.id, f"of_none-s{none.seed}", f"of_strict-s{none.seed}"]
    assert states == dict.fromkeys(ids, "completed")
    director.close()


def test_a_control_of_the_best_trial_has_the_exposures_of_the_first_finalist(tmp_path: Path) -> None:
    space = plain(
        stop=Stop(trials=4),
        arms={"shuffled": Arm(matched="best"), "random": Arm(like="best", settings={"sleep": "random"})},
        finalists=Finalists(count=2, seeds=2),
    )
    director = open_search(tmp_path / "x", space)
    run_inline(director, WORKER)
    best = director.best()
    assert best is not None
    controls = [trial for trial in director.trials.values() if trial.arm == "shuffled"]
    assert {trial.matched for trial in controls} == {f"{best.id}-s{trial.seed}" for trial in controls}
    assert all(trial.parameters == best.parameters for trial in controls)
    director.close()


def test_a_control_that_is_added_to_a_finished_study_is_trained(tmp_path: Path) -> None:
    without = replace(CONTROLLED, arms={name: arm for name, arm in CONTROLLED.arms.items() if name != "of_strict"})
    runs(tmp_path / "x", without)
    runs(tmp_path / "x", CONTROLLED)
    assert set(read_trials(tmp_path / "x")["arm"]) == set(CONTROLLED.arms)


def test_a_control_of_a_run_of_an_earlier_version_is_refused(tmp_path: Path) -> None:
    """Such a run has left no exposures; the others are trained all the same."""
    none = {name: arm for name, arm in CONTROLLED.arms.items() if arm.matched is None}
    seeds = runs(tmp_path / "x", replace(CONTROLLED, arms=none))["strict"]
    for seed in seeds:
        folder = tmp_path / "x" / "trials" / f"strict-s{seed}"
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text("")
    director = open_search(tmp_path / "x", CONTROLLED)
    run_inline(director, WORKER)
    for seed in seeds:
        refused = director.trials[f"of_strict-s{seed}"]
        assert (refused.state, refused.kind) == ("refused", "config")
        assert not missing(refused.reason, f"strict-s{seed}|exposures.npz")
        assert director.trials[f"of_none-s{seed}"].state == "completed"
    director.close()


def test_a_control_of_a_baseline_has_all_of_its_settings(tmp_path: Path) -> None:
    """Those that its own search found, and those of its file, which no run of the baseline states."""
    rate = Parameter("training.learning_rate", Choice((1e-3, 1e-4)))
    tuned = Baseline(trials=2, parameters=(rate.key,))
    space = plain(stop=Stop(trials=1), baselines={"as_epochs": tuned}, arms={"shuffled": Arm(matched="as_epochs")})
    director = open_search(tmp_path / "x", replace(space, parameters=(*space.parameters, rate)))
    configs: dict[str, dict[str, Any]] = {}
    while isinstance(trial := director.next(), Trial):
        configs[trial.id] = flatten(trial.config)
        finish(director, trial)
    control = next(trial for trial in director.trials.values() if trial.arm == "shuffled")
    assert control.matched is not None
    parent = director.trials[control.matched]
    assert control.parameters == {**baseline_settings("as_epochs"), **parent.parameters}
    different = {key for key, value in configs[parent.id].items() if configs[control.id][key] != value}
    assert different == {"run.name", "run.dir", "tracking.role", "tracking.arm", "sleep.matched"}
    director.close()


def test_an_arm_that_becomes_a_control_has_runs_of_a_new_name(tmp_path: Path) -> None:
    """Its settings are the same, but it is another arm."""
    same = {**CONTROLLED.arms, "of_strict": Arm(like="strict"), "of_none": Arm(like="none")}
    runs(tmp_path / "x", replace(CONTROLLED, arms=same))
    runs(tmp_path / "x", CONTROLLED)
    table = read_trials(tmp_path / "x").set_index("trial")
    controls = table[table["matched"].notna()].index
    assert {str(name).rpartition("-s")[0] for name in controls} == {"of_strict-v2", "of_none-v2"}


@functools.cache
def undisturbed() -> tuple[dict[str, Any], bytes, bytes]:
    """The decisions of a study with arms of every kind, its log, and its experiment.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        decided = search(Path(folder) / "x", MANY)
        files = Path(folder) / "x"
        return decided, (files / "trials.jsonl").read_bytes(), (files / "experiment.yaml").read_bytes()


MANY = study(
    stop=Stop(trials=4),
    baselines={"epochs": Baseline(trials=2, parameters=("training.learning_rate",))},
    arms={
        "shuffled": Arm(matched="best"),
        "random": Arm(like="best", settings={"sleep": "random"}),
        "of_random": Arm(matched="random"),
        "of_epochs": Arm(matched="epochs"),
        "hot": Arm(settings={"training.learning_rate": 0.1}),
        "of_hot": Arm(matched="hot"),
    },
    finalists=Finalists(count=1, seeds=2),
)


def test_the_study_has_arms_of_every_kind() -> None:
    decided, _, _ = undisturbed()
    kinds = {(trial[0], trial[7], trial[8]) for trial in decided.values() if trial[0] != "search"}
    assert kinds == {
        ("baseline", "completed", None),
        ("finalist", "completed", None),
        ("arm", "completed", None),
        ("arm", "failed", "diverged"),
        ("arm", "failed", "parent"),
    }
    assert len({trial[1] for trial in decided.values() if trial[0] == "arm"}) == 6


def test_cut_after_any_event_it_decides_the_same(tmp_path: Path) -> None:
    """A search that is killed after any event, or in the middle of writing one, is resumed as if it had not been."""
    decided, log, experiment = undisturbed()
    lines = log.splitlines(keepends=True)
    arms = next(number for number, line in enumerate(lines) if b'"role":"baseline"' in line or b'"role":"arm"' in line)
    for number in range(arms, len(lines), 3):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "experiment.yaml").write_bytes(experiment)
        (folder / "trials.jsonl").write_bytes(b"".join(lines[:number]) + lines[number][:10])
        assert search(folder, MANY) == decided


@settings(max_examples=4, phases=[Phase.generate])
@given(st.lists(st.integers(0, 30), min_size=1, max_size=4))
def test_killed_again_and_again_it_decides_the_same(kills: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for reports in kills:
            director = open_search(Path(folder) / "x", MANY)
            with contextlib.suppress(Killed):
                run_inline(director, killed_after(reports))
            director._held.close()  # as the end of a process does: nothing is written
        assert search(Path(folder) / "x", MANY) == undisturbed()[0]
