"""A folder belongs to one study."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sleep_tune.config.load import compose
from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.errors import RunFolderError, UserError
from sleep_tune.experiment.experiment_file import EXPERIMENT as FILE
from sleep_tune.experiment.experiment_file import describe_experiment
from sleep_tune.experiment.run_folder import record_run
from sleep_tune.search.decide.experiment_identity import (
    ExperimentIdentity,
    find_differences,
    find_space_changes,
    open_folder,
    update,
)
from sleep_tune.search.run.fake_worker import TOY_CORPUS
from sleep_tune.search.space.search_space import (
    Baseline,
    Choice,
    Claim,
    CorpusSummary,
    Objective,
    Parameter,
    Search,
    Stop,
)
from sleep_tune.simulation.recorded_curves import read_experiment_curves
from tests.experiment.test_run_folder import RESUMABLE
from tests.messages import raises_naming
from tests.search.studies import BASE, open_search, start, study


def test_it_says_what_made_it(tmp_path: Path) -> None:
    open_folder(tmp_path / "x", study(), BASE, TOY_CORPUS)
    written = yaml.safe_load((tmp_path / "x" / FILE).read_text())
    assert written["space"]["search"]["seed"] == 1
    assert written["base"]["sleep"]["folds"] == 10
    assert written["corpus"] == {"words": 100_000, "samples": 1_000}
    assert {"sleep_tune", "commit", "packages"} <= written.keys()
    open_folder(tmp_path / "x", study(), BASE, TOY_CORPUS)


def test_what_differs_is_said(tmp_path: Path) -> None:
    space = study()
    open_folder(tmp_path, space, BASE, TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"search.seed is 1 there and 5 here"):
        open_folder(tmp_path, replace(space, search=Search(seed=5, startup=3)), BASE, TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"finalists.first_seed is None there and 1000 here"):
        finalists = replace(space.finalists, first_seed=1000)
        open_folder(tmp_path, replace(space, finalists=finalists), BASE, TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"objective.mode is min there and max here"):
        open_folder(tmp_path, replace(space, objective=Objective(mode="max")), BASE, TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"comparison.matched is words there and flops here"):
        open_folder(tmp_path, replace(space, comparison=Claim(matched="flops")), BASE, TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"base.training.warmup is 0.05 there and 0.1 here"):
        open_folder(tmp_path, space, RunConfig(training=TrainingConfig(warmup=0.1)), TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"corpus.words is 100000 there and 7 here"):
        open_folder(tmp_path, space, BASE, CorpusSummary(words=7, samples=1_000))


def test_a_copied_or_renamed_experiment_keeps_its_name(tmp_path: Path) -> None:
    """The message says how to resume it and how to take its trials into a study of another name."""
    (tmp_path / "small").mkdir()
    open_folder(tmp_path / "small", study(), BASE, TOY_CORPUS)
    copy = shutil.copytree(tmp_path / "small", tmp_path / "new")
    with pytest.raises(RunFolderError, match=rf"{copy} holds the study small, .* warm_start=\[{copy}\]"):
        open_folder(copy, replace(study(), name="new"), BASE, TOY_CORPUS)
    open_folder(copy, study(), BASE, TOY_CORPUS)


def test_allowed_changes_are_reported_and_written(tmp_path: Path) -> None:
    space = study()
    parameters = (*space.parameters[:2], Parameter("sleep.folds", Choice((5,))), *space.parameters[3:])
    grown = replace(space, parameters=parameters, stop=Stop(trials=9), base={"sleep.folds": 10})
    grown = replace(grown, baselines={"as_epochs": Baseline(), "random": Baseline()})
    grown = replace(grown, finalists=replace(space.finalists, seeds=(5, 8)))
    then = open_folder(tmp_path, space, BASE, TOY_CORPUS)
    assert [str(change) for change in find_space_changes(then.space, grown)] == [
        "parameters.sleep.folds.choice: [5, 20] -> [5]",
        "stop.trials: 7 -> 9",
        "baselines.epochs: removed",
        "baselines.random: added",
        "finalists.seeds: 2 -> {looks: [5, 8]}",
    ]
    update(tmp_path, then, grown, BASE, TOY_CORPUS)
    now = ExperimentIdentity(tmp_path)
    assert find_space_changes(now.space, grown) == []
    before = (tmp_path / FILE).stat().st_ino
    update(tmp_path, now, grown, BASE, TOY_CORPUS)
    assert (tmp_path / FILE).stat().st_ino == before


def test_a_changed_source_of_the_users_code_is_another_study(tmp_path: Path) -> None:
    """Also that of a choice which the space dropped in between; a choice with a new import path is no other study."""

    def base(*sources: str) -> RunConfig:
        return replace(BASE, run=replace(BASE.run, sources=sources))

    then = open_folder(tmp_path, study(), base("lab:f lab.py sha256:1"), TOY_CORPUS)
    now = base("lab:g lab.py sha256:2")
    open_folder(tmp_path, study(), now, TOY_CORPUS)
    update(tmp_path, then, study(), now, TOY_CORPUS)
    assert ExperimentIdentity(tmp_path).tree["run"]["sources"] == ["lab:f lab.py sha256:1", "lab:g lab.py sha256:2"]
    changed = base("lab:f lab.py sha256:3")
    with raises_naming(RunFolderError, "lab:f", "lab.py sha256:1 there", "lab.py sha256:3 here"):
        open_folder(tmp_path, study(), changed, TOY_CORPUS)
    assert len(find_differences(ExperimentIdentity(tmp_path), study(), changed, TOY_CORPUS)) == 1


def test_what_changes_nothing_of_a_run_changes_nothing_of_a_study(tmp_path: Path) -> None:
    """Neither when the search is resumed nor when another one takes its trials."""
    changed = compose([f"{key}={value}" for key, value in RESUMABLE.items()])
    then = open_folder(tmp_path, study(), compose([]), TOY_CORPUS)
    assert find_differences(then, study(), changed, TOY_CORPUS) == []
    open_folder(tmp_path, study(), changed, TOY_CORPUS)
    update(tmp_path, then, study(), changed, TOY_CORPUS)
    now = ExperimentIdentity(tmp_path)
    assert now.base["training.checkpoint_ratio"] == RESUMABLE["training.checkpoint_ratio"]
    with pytest.raises(RunFolderError, match=r"base\.training\.warmup is 0\.05 there and 0\.1 here\. "):
        open_folder(tmp_path, study(), compose(["training.warmup=0.1"]), TOY_CORPUS)


def test_options_that_an_earlier_version_did_not_know_have_their_defaults(tmp_path: Path) -> None:
    then = open_folder(tmp_path, study(), BASE, TOY_CORPUS)
    written = yaml.safe_load((tmp_path / FILE).read_text())
    del written["sha256"]
    del written["space"]["enqueue"], written["space"]["resources"]["disk_gb"], written["base"]["evaluation"]["rungs"]
    del written["space"]["comparison"]["matched"], written["space"]["comparison"]["reserve"]
    (tmp_path / FILE).write_text(yaml.safe_dump(written))
    again = open_folder(tmp_path, study(), BASE, TOY_CORPUS)
    assert (again.space, again.base) == (then.space, then.base)
    assert find_space_changes(written["space"], study()) == []


def test_an_option_of_a_newer_version_is_named(tmp_path: Path) -> None:
    """In one sentence, without a list of the options that there are."""
    open_folder(tmp_path, study(), BASE, TOY_CORPUS)
    written = yaml.safe_load((tmp_path / FILE).read_text())
    del written["sha256"]
    written["base"]["training"]["dreams"] = 1
    (tmp_path / FILE).write_text(yaml.safe_dump(written))
    with pytest.raises(RunFolderError, match=r"of a newer one: unknown option 'training\.dreams'$"):
        ExperimentIdentity(tmp_path)


@pytest.mark.parametrize("above", ["# mine\n", "\ufeff", "name: mine\n"])
def test_an_edit_above_the_checksum_is_noticed(above: str, tmp_path: Path) -> None:
    open_folder(tmp_path, study(), BASE, TOY_CORPUS)
    written = (tmp_path / FILE).read_text()
    (tmp_path / FILE).write_text(above + written)
    with pytest.raises(RunFolderError, match=r"checksum is not its first line.*remove the line .* 'sha256:'"):
        ExperimentIdentity(tmp_path)
    (tmp_path / FILE).write_text(above + written.partition("\n")[2])
    ExperimentIdentity(tmp_path)


@pytest.mark.parametrize("key", ["space", "base", "corpus"])
@pytest.mark.parametrize("value", ["missing", None, [1], "text"])
def test_a_section_that_is_no_mapping_is_named(key: str, value: object, tmp_path: Path) -> None:
    open_folder(tmp_path, study(), BASE, TOY_CORPUS)
    written = yaml.safe_load((tmp_path / FILE).read_text()) | {key: value}
    del written["sha256"]
    if value == "missing":
        del written[key]
    (tmp_path / FILE).write_text(yaml.safe_dump(written))
    with pytest.raises(RunFolderError, match=rf"each a mapping; {key} is (none|missing)"):
        ExperimentIdentity(tmp_path)


def test_a_log_without_its_study(tmp_path: Path) -> None:
    (tmp_path / "trials.jsonl").touch()
    with pytest.raises(RunFolderError, match=r"holds trials.jsonl but no experiment.yaml"):
        open_folder(tmp_path, study(), BASE, TOY_CORPUS)


@pytest.mark.parametrize("content", ["", "[1, 2]", "a: [", "\x00"])
def test_an_experiment_that_cannot_be_read(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(RunFolderError, match=r"experiment.yaml cannot be read as an experiment"):
        open_folder(tmp_path, study(), BASE, TOY_CORPUS)


@pytest.mark.parametrize("content", [None, b"", b"half"])
@pytest.mark.parametrize("has_experiment", [True, False])
def test_a_log_that_lost_its_trials_is_not_begun_anew(
    content: bytes | None, has_experiment: bool, tmp_path: Path
) -> None:
    """The runs in trials/ show that it is not the beginning."""
    open_search(tmp_path).close()
    for name in ("t0001", "t0002"):
        record_run(tmp_path / "trials" / name, BASE)
    (tmp_path / "trials" / "notes").mkdir()
    (tmp_path / "trials.jsonl").unlink()
    if not has_experiment:
        (tmp_path / FILE).unlink()
    if content is not None:
        (tmp_path / "trials.jsonl").write_bytes(content)
    before = sorted(tmp_path.iterdir())
    expected = (
        "trials holds t0001, t0002, which are not in trials.jsonl"
        if has_experiment or content is None
        else "but no experiment"
    )
    with pytest.raises(RunFolderError, match=expected):
        open_search(tmp_path)
    assert sorted(tmp_path.iterdir()) == before
    (tmp_path / "trials").rename(tmp_path / "moved")
    if has_experiment:
        open_search(tmp_path).close()


def test_a_log_cut_off_between_lines_is_noticed_by_the_trials_that_it_lost(tmp_path: Path) -> None:
    director = open_search(tmp_path)
    names = [start(director).id for _ in range(2)]
    for name in names:
        record_run(tmp_path / "trials" / name, BASE)
    director._held.close()
    lines = (tmp_path / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "trials.jsonl").write_bytes(b"".join(lines[:-2]))
    with pytest.raises(RunFolderError, match=f"trials holds {names[1]}, which"):
        open_search(tmp_path)
    (tmp_path / "trials.jsonl").write_bytes(b"".join(lines))
    open_search(tmp_path).close()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda text: text.replace("seed: 1", "seed: 2", 1), "is not as it was written"),
        (lambda text: text[: len(text) // 2], "is not as it was written"),
        (lambda text: f"{text}\n", "is not as it was written"),
        (lambda text: text.replace("\n", "\r\n"), "is not as it was written"),
        (lambda text: text.partition("\n")[0] + "\n", "is not as it was written"),
        (lambda text: "", "it is empty"),
        (lambda text: "[" * 1_000, "not YAML"),
        (lambda text: "a: 2020-99-99", "not YAML"),
        (lambda text: "a: \xff", "not YAML|cannot be read"),
    ],
)
def test_an_edited_description_is_refused_by_every_reader(
    change: Callable[[str], str], told: str, tmp_path: Path
) -> None:
    """The search that is continued, the comparison, a warm start, a simulation."""
    open_search(tmp_path / "x").close()
    path = tmp_path / "x" / FILE
    path.write_bytes(change(path.read_text()).encode("latin-1"))
    warm = study(name="y", warm_start=(str(tmp_path / "x"),))
    readers: tuple[Callable[[], object], ...] = (
        lambda: open_search(tmp_path / "x"),
        lambda: describe_experiment(tmp_path / "x"),
        lambda: open_search(tmp_path / "y", warm),
        lambda: read_experiment_curves(tmp_path / "x"),
    )
    for read in readers:
        with pytest.raises(UserError, match=rf"experiment\.yaml .*({told})") as raised:
            read()
        assert "\n" not in str(raised.value)


def test_an_edited_description_is_accepted_without_its_first_line(tmp_path: Path) -> None:
    open_folder(tmp_path, study(), BASE, TOY_CORPUS)
    _, _, rest = (tmp_path / FILE).read_text().partition("\n")
    (tmp_path / FILE).write_text(rest.replace("mode: min", "mode: max", 1))
    assert describe_experiment(tmp_path).mode == "max"


@pytest.mark.parametrize("mode", [None, 3, "mni"])
def test_a_comparison_needs_to_know_which_values_are_better(mode: object, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(yaml.safe_dump({"space": {"objective": {"mode": mode}}}))
    with pytest.raises(UserError, match=rf"unknown objective.mode '{mode}'.*one of: max, min"):
        describe_experiment(tmp_path)
