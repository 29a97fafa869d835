"""A folder belongs to one study."""

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from sleep_tune.config.schema import RunConfig, TrainingConfig
from sleep_tune.errors import RunFolderError
from sleep_tune.search.experiment import FILE, open_folder
from sleep_tune.search.fake import TOY_CORPUS
from sleep_tune.search.space import Choice, CorpusSummary, Parameter, Search
from tests.search.studies import BASE, study


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
    with pytest.raises(RunFolderError, match=r"parameters.sleep.folds.choice is \[5, 20\] there and \[5\] here"):
        parameters = (*space.parameters[:2], Parameter("sleep.folds", Choice((5,))), *space.parameters[3:])
        open_folder(tmp_path, replace(space, parameters=parameters), BASE, TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"base.training.warmup is 0.05 there and 0.1 here"):
        open_folder(tmp_path, space, RunConfig(training=TrainingConfig(warmup=0.1)), TOY_CORPUS)
    with pytest.raises(RunFolderError, match=r"corpus.words is 100000 there and 7 here"):
        open_folder(tmp_path, space, BASE, CorpusSummary(words=7, samples=1_000))


def test_a_log_without_its_study(tmp_path: Path) -> None:
    (tmp_path / "trials.jsonl").touch()
    with pytest.raises(RunFolderError, match=r"holds trials.jsonl but no experiment.yaml"):
        open_folder(tmp_path, study(), BASE, TOY_CORPUS)


@pytest.mark.parametrize("content", ["", "[1, 2]", "space: 3", "a: [", "\x00"])
def test_an_experiment_that_cannot_be_read(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    with pytest.raises(RunFolderError, match=r"experiment.yaml cannot be read as an experiment"):
        open_folder(tmp_path, study(), BASE, TOY_CORPUS)
