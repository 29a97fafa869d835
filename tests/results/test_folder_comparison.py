"""Folders as a user names them: several experiments, models from elsewhere as seeds, names that would collide."""

import itertools
import shutil
from pathlib import Path

import pytest

from sleep_tune.errors import DataError, RunFolderError
from sleep_tune.results.folder_comparison import compare_folders
from sleep_tune.results.markup import as_markdown
from tests.results.conftest import SyntheticLog, has_note, outcome
from tests.results.test_official_reports import write_model, write_report

SECONDS = itertools.count(36.0, 0.125)
"""No two runs take the same time."""


def experiment(folder: Path, *, name: str | None = None, better: float = 0.0, seeds: int = 3) -> Path:
    """An experiment of two arms."""
    log = SyntheticLog(folder)
    log.open(name=name or folder.name)
    for seed in range(seeds):
        log.run("epochs", seed, 2.0 + seed / 100, 0.8, seconds=next(SECONDS))
        log.run("t0001", seed, 2.0 - better + seed / 90, 0.8, role="finalist", seconds=next(SECONDS))
    return folder


def names(*folders: object, **more: object) -> list[str]:
    return [arm.name for arm in compare_folders([str(folder) for folder in folders], **more)[0].arms]  # type: ignore[arg-type]


def test_another_experiments_arms_join_under_its_name(tmp_path: Path) -> None:
    first, second = experiment(tmp_path / "replay"), experiment(tmp_path / "other", better=0.5)
    comparison, folder = compare_folders([str(first), str(second)])
    arms = {arm.name: arm for arm in comparison.arms}
    assert list(arms) == ["epochs", "t0001", "other/epochs", "other/t0001"]
    assert arms["other/epochs"].kind == "control"
    assert arms["other/t0001"].contrasts["test/nll"].difference.mean == pytest.approx(-0.5, abs=0.01)
    assert folder == first
    assert has_note(comparison, "another experiment", "other/epochs, other/t0001;")
    assert has_note(comparison, "Not tuned: epochs, ")
    assert "Warning" not in comparison.verdict


def test_arms_that_share_few_seeds_or_none_are_named(tmp_path: Path) -> None:
    first, second = experiment(tmp_path / "replay"), experiment(tmp_path / "other", seeds=5)
    comparison, _ = compare_folders([str(first), str(second)])
    assert has_note(comparison, "Warning: other/t0001 shares only 3 of its 5 seeds with epochs;")
    log = SyntheticLog(tmp_path / "third")
    log.open()
    log.run("t0002", 77, 1.5, 0.8, role="finalist")
    comparison = compare_folders([str(first), str(tmp_path / "third")])[0]
    assert has_note(comparison, "Not compared: replay/t0002", "no seed", "epochs", "test nll")


def test_experiments_of_one_name_are_distinguished_by_their_folders(tmp_path: Path) -> None:
    folders = [experiment(tmp_path / place / "study", name="study") for place in ("a", "b", "c")]
    found = names(*folders)
    assert found[2:] == [f"{folder}/{arm}" for folder in folders[1:] for arm in ("epochs", "t0001")]


@pytest.mark.parametrize("grown", [False, True])
def test_a_copy_of_an_experiment_is_refused_beside_it(tmp_path: Path, grown: bool) -> None:
    """Its runs would be compared once more, with a control that does not differ at all from the baseline."""
    first = experiment(tmp_path / "replay")
    second = shutil.copytree(first, tmp_path / "moved" / "copy")
    if grown:
        log = SyntheticLog(second)
        log.run("epochs", 9, 2.5, 0.8, seconds=next(SECONDS))
        log.run("t0007", 9, 2.4, 0.8, role="finalist", seconds=next(SECONDS))
    with pytest.raises(DataError, match=rf"{second} .*{first}.*epochs, seed 0"):
        compare_folders([str(first), str(second)])
    other = experiment(tmp_path / "other")
    with pytest.raises(DataError, match=rf"{second} .*{first}"):
        compare_folders([str(other), str(first), str(second)])


def test_a_run_that_was_trained_again_is_no_copy(tmp_path: Path) -> None:
    """It measures the same to the last digit, and takes another time."""
    assert len(names(experiment(tmp_path / "a"), experiment(tmp_path / "b"))) == 4


def test_a_folder_named_twice_is_refused(tmp_path: Path) -> None:
    folder, model = experiment(tmp_path / "replay"), write_model(tmp_path, "run")
    with pytest.raises(DataError, match=r"once.*replay again"):
        names(folder, folder)
    with pytest.raises(DataError, match=r"once.*run again"):
        names(folder, f"ours={model}", f"ours={tmp_path}/../{tmp_path.name}/run")


def test_folders_of_one_name_are_seeds_and_the_first_model_is_the_baseline(tmp_path: Path) -> None:
    models = [write_model(tmp_path, f"run{number}", shift=number * number) for number in range(4)]
    named = [f"{'base' if at < 2 else 'sleep'}={model}" for at, model in enumerate(models)]
    comparison, folder = compare_folders(named)
    assert folder is None
    assert comparison.baseline == "base"
    assert [(arm.name, arm.seeds) for arm in comparison.arms] == [("base", (1, 2)), ("sleep", (1, 2))]
    assert comparison.endpoints[0] == "babylm/blimp_fast"
    assert "unknown whether at the same number of words" in comparison.verdict


def test_a_model_without_the_primary_endpoint_is_not_compared_and_that_is_said(tmp_path: Path) -> None:
    folder, model = experiment(tmp_path / "replay", better=0.5), write_model(tmp_path, "run")
    comparison = compare_folders([str(folder), f"ours={model}"])[0]
    assert has_note(comparison, "Not compared: ours", "test nll")
    assert comparison.verdict.startswith("epochs is beaten ")
    assert "t0001 is better (" in comparison.verdict


def test_two_models_of_one_name_are_not_taken_for_seeds(tmp_path: Path) -> None:
    models = [write_model(tmp_path / place, "run") for place in ("a", "b")]
    with pytest.raises(DataError, match=r"b/run .*'run \(mlm\)'.*NAME=FOLDER"):
        names(*models)
    assert names(*(f"run={model}" for model in models)) == ["run"]


@pytest.mark.parametrize("name", ["epochs", "t0001"])
def test_a_model_may_not_bear_an_arms_name(tmp_path: Path, name: str) -> None:
    folder, model = experiment(tmp_path / "replay"), write_model(tmp_path, "run")
    with pytest.raises(DataError, match=f"'{name}' is the name of 2"):
        names(folder, f"{name}={model}")


def test_published_figures_stand_beside_and_are_no_baseline(tmp_path: Path) -> None:
    figures = tmp_path / "figures.csv"
    figures.write_text("model,test/nll,BLiMP\nGPT,1.5,71.66\n")
    folder = experiment(tmp_path / "replay")
    comparison = compare_folders([str(folder)], [figures])[0]
    assert comparison.arms[-1].name == "GPT"
    assert not comparison.arms[-1].contrasts
    assert "| BLiMP |" in as_markdown(comparison)
    assert "| 71.66 |" in as_markdown(comparison)
    assert has_note(comparison, "GPT: published figures")
    with pytest.raises(DataError, match=r"baseline .*'GPT' is a published figure"):
        compare_folders([str(folder)], [figures], baseline="GPT")


def test_the_baseline_may_be_any_arm_and_a_wrong_name_gets_the_nearest(tmp_path: Path) -> None:
    folder = experiment(tmp_path / "replay", better=0.5)
    comparison = compare_folders([str(folder)], baseline="t0001")[0]
    assert comparison.baseline == "t0001"
    assert comparison.arms[0].contrasts["test/nll"].difference.mean == pytest.approx(0.5, abs=0.01)
    assert comparison.verdict.startswith("No arm beats t0001 ")
    assert "epochs is worse (+0.499" in comparison.verdict
    with pytest.raises(DataError, match=r"unknown arm 'epoch'; did you mean 'epochs'\? Choose one of: epochs, t0001"):
        compare_folders([str(folder)], baseline="epoch")


def test_a_folder_that_is_neither_is_reported_with_the_nearest_one(tmp_path: Path) -> None:
    folder = experiment(tmp_path / "replay")
    with pytest.raises(RunFolderError, match=r"official reports .*repla, .*did you mean .*replay\?"):
        names(tmp_path / "repla")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunFolderError, match=r"got \S*empty$"):
        names(folder, tmp_path / "empty")
    with pytest.raises(DataError, match=r"replay is an experiment.*'ours='"):
        names(f"ours={folder}")
    with pytest.raises(DataError, match=r"NAME=FOLDER.*'=\S*replay'"):
        names(f"={folder}")


def test_a_copy_of_a_checkpoint_is_no_additional_seed(tmp_path: Path) -> None:
    groups = {f"paradigm_{number}": 60.0 + number for number in range(10)}
    for name in ("one", "copy", "other"):
        if name == "other":
            groups |= {"paradigm_0": 62.0}
        folder = tmp_path / name / "main" / "zero_shot" / "mlm" / "blimp" / "blimp_fast"
        write_report(folder, {"UID": groups}, sum(groups.values()) / len(groups))
    with pytest.raises(DataError, match=r"copy .*another checkpoint than .*one"):
        names(f"a={tmp_path / 'one'}", f"a={tmp_path / 'copy'}", year="2025")
    assert names(f"a={tmp_path / 'one'}", f"a={tmp_path / 'other'}", year="2025") == ["a"]


def test_a_single_model_waits_for_no_search(tmp_path: Path) -> None:
    comparison, _ = compare_folders([str(write_model(tmp_path, "ours"))])
    assert outcome(comparison) == "none yet"
    assert "ours (mlm)" in comparison.verdict
