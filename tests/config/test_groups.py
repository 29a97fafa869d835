"""The files of conf/: each sets only options that exist, to what differs; a folder of the user's adds choices."""

from pathlib import Path

import pytest

from sleep_tune import names
from sleep_tune.babylm.challenge import DATASETS
from sleep_tune.config import groups
from sleep_tune.config.options import options, sections
from sleep_tune.errors import ConfigError
from sleep_tune.installation import CONF
from tests.messages import missing

EVERY = [(group, choice, file) for group, choices in groups.groups().items() for choice, file in choices.items()]


@pytest.mark.parametrize(("group", "choice", "file"), EVERY, ids=[f"{group}={choice}" for group, choice, _ in EVERY])
def test_a_file_says_what_it_is_for_and_sets_only_what_differs(group: str, choice: str, file: Path) -> None:
    assert file.read_text().startswith("# ")
    for key, value in groups.group_settings(group, file).items():
        option = options()[key]
        option.check(value)
        assert value != option.default or key.endswith(".kind") or choice in (*names.STRATEGIES, *names.BASELINES)


def test_every_group_has_a_default_that_exists() -> None:
    assert set(groups.default_choices()) == set(groups.groups())
    assert all(choice in groups.groups()[group] for group, choice in groups.default_choices().items())
    assert set(groups.groups()) <= set(sections())


@pytest.mark.parametrize(
    ("group", "choices"), [("data", names.CORPORA), ("tokenizer", names.TOKENIZERS), ("sleep", names.BASELINES)]
)
def test_names_are_choices(group: str, choices: tuple[str, ...]) -> None:
    assert set(choices) <= set(groups.groups()[group])


@pytest.mark.parametrize(("choice", "track"), [("babylm", "strict-small"), ("babylm_strict", "strict")])
def test_babylm_is_the_dataset_of_its_track(choice: str, track: str) -> None:
    assert groups.group_settings("data", groups.groups()["data"][choice])["data.dataset"] == DATASETS[track]


def test_strategies_are_choices_of_sleep() -> None:
    assert set(names.STRATEGIES) <= set(groups.groups()["sleep"])


def test_a_folder_of_ones_own_adds_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "conf" / "sleep").mkdir(parents=True)
    (tmp_path / "conf" / "sleep" / "mine.yaml").write_text("folds: 3\n")
    monkeypatch.chdir(tmp_path)
    assert "mine" in groups.groups()["sleep"] and "epochs" in groups.groups()["sleep"]


def test_one_name_in_both_folders_is_refused_unless_the_files_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "conf" / "sleep").mkdir(parents=True)
    (tmp_path / "conf" / "sleep" / "epochs.yaml").write_text("folds: 3\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as raised:
        groups.groups()
    assert not missing(raised.value, f"sleep=epochs|{tmp_path / 'conf' / 'sleep' / 'epochs.yaml'}")
    (tmp_path / "conf" / "config.yaml").touch()
    with pytest.raises(ConfigError, match="that clone"):
        groups.groups()
    (tmp_path / "conf" / "sleep" / "epochs.yaml").write_bytes((CONF / "sleep" / "epochs.yaml").read_bytes())
    assert groups.groups()["sleep"]["epochs"] == CONF / "sleep" / "epochs.yaml"  # an installation and a clone


def test_a_file_of_any_section_is_read_as_one(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("# @package _global_\n# What for.\nmodel: {layers: 3}\ntraining: {seed: 1}\n")
    assert groups.group_settings("model", file) == {"model.layers": 3, "training.seed": 1}
    file.write_text("defaults: [tiny]\nlayers: 3\n")
    assert groups.group_settings("model", file) == {"model.layers": 3}
    file.write_text("layer: 3\n")
    with pytest.raises(ConfigError) as raised:
        groups.group_settings("model", file)
    assert not missing(raised.value, "a.yaml:1: |'model.layer'|'model.layers'")
    file.write_text("layers: 0\nhidden: ${model.heads}\nheads: [1\n]\n")
    with pytest.raises(ConfigError) as raised:
        groups.group_settings("model", file)
    assert not missing(raised.value, "2 mistakes|a.yaml:1: |model.layers|a.yaml:3: |model.heads|[1]")
