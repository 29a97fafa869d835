"""Sources of functions by import path, in a run's configuration: filled in, compared, and left out where not used."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sleep_tune.config.load import compose
from sleep_tune.config.schema import RunConfig
from sleep_tune.config.sources import (
    compared_by_source,
    joined_sources,
    named_paths,
    used_sources,
    with_sources,
)
from sleep_tune.config.tree import from_dict, to_dict
from sleep_tune.errors import ConfigError, RunFolderError
from sleep_tune.experiment.run_folder import describe_differences, read_config, record_run
from sleep_tune.training.identity import identify
from tests.messages import raises_naming
from tests.own_code import own_code

MIDDLE = "sleep.replay.strategy=sources_lab:middle"


@pytest.fixture(autouse=True)
def lab(tmp_path: Path) -> Iterator[Path]:
    """A working directory with a module of its own."""
    with own_code(tmp_path, {"sources_lab.py": "def middle():\n    pass\n\n\ndef items():\n    pass\n"}):
        yield tmp_path


def test_a_configuration_without_import_paths_has_no_sources() -> None:
    assert compose([]).run.sources == ()


def test_every_import_path_has_an_entry() -> None:
    config = compose([MIDDLE, "evaluation.data=x", "evaluation.tasks=[blimp_fast, sources_lab:items]"])
    assert config.evaluation.tasks == ("blimp_fast", "sources_lab:items")
    assert named_paths(to_dict(config)) == {
        "sources_lab:middle": "sleep.replay.strategy",
        "sources_lab:items": "evaluation.tasks",
    }
    assert [entry.split(" ")[:2] for entry in config.run.sources] == [
        ["sources_lab:items", "sources_lab.py"],
        ["sources_lab:middle", "sources_lab.py"],
    ]


def test_a_stated_source_must_be_the_present_one(lab: Path) -> None:
    config = compose([MIDDLE])
    assert with_sources(config) == config
    (entry,) = config.run.sources
    other = replace(config, run=replace(config.run, sources=(f"{entry[:-1]}x",)))
    with raises_naming(ConfigError, "sources_lab:middle", str(lab), "changed"):
        with_sources(other)
    with raises_naming(ConfigError, "run.sources", "none"):
        compose([f"run.sources=['{entry}']"])


def test_a_module_that_is_missing_is_refused_when_the_configuration_is_composed() -> None:
    with raises_naming(ConfigError, "sleep.replay.strategy=sources_lob:middle", "sources_lab?"):
        compose(["sleep.replay.strategy=sources_lob:middle"])


def test_a_configuration_is_read_without_the_users_code() -> None:
    tree = to_dict(RunConfig())
    tree["sleep"]["replay"]["strategy"] = "never_there.at_all:middle"
    tree["run"]["sources"] = ["never_there.at_all:middle at_all.py sha256:0"]
    assert to_dict(from_dict(tree)) == tree


def test_sources_are_part_of_the_identity_only_where_there_are_some() -> None:
    plain, own = compose([]), compose([MIDDLE])
    unknown = replace(own, run=replace(own.run, sources=()))
    digests = {identify(config, "corpus", 1).digest() for config in (plain, own, unknown)}
    assert len(digests) == 3
    assert "run.sources" not in {key for key, value in identify(plain, "corpus", 1).options.items() if value != []}


def test_a_changed_source_is_another_run(lab: Path) -> None:
    config = compose([MIDDLE])
    assert not record_run(lab / "run", config)
    assert read_config(lab / "run") == config
    assert record_run(lab / "run", config)
    changed = replace(config, run=replace(config.run, sources=(f"{config.run.sources[0][:-1]}x",)))
    with raises_naming(RunFolderError, "sources_lab:middle", "sources_lab.py", "there", "here"):
        record_run(lab / "run", changed)


def test_the_environment_says_where_the_file_was(lab: Path) -> None:
    record_run(lab / "run", compose([MIDDLE]))
    assert f'"sources_lab:middle": "{lab / "sources_lab.py"}"' in (lab / "run" / "environment.json").read_text()


def test_only_import_paths_that_both_name_are_compared() -> None:
    there = {"a": 1, "run.sources": ["x:f x.py sha256:1", "y:g y.py sha256:2"]}
    here = {"a": 1, "run.sources": ["x:f x.py sha256:3", "z:h z.py sha256:4"]}
    assert compared_by_source(there, here) == (
        {"a": 1, "the source of x:f": "x.py sha256:1"},
        {"a": 1, "the source of x:f": "x.py sha256:3"},
    )
    assert describe_differences(there, here) == "the source of x:f is x.py sha256:1 there, x.py sha256:3 here"
    assert describe_differences({"a": 1}, {"a": 1, "run.sources": ["x:f x.py sha256:1"]}) == ""


def test_a_trial_has_the_sources_that_it_uses() -> None:
    config = compose([MIDDLE])
    others = ("sources_lab:items sources_lab.py sha256:0", *config.run.sources)
    assert used_sources(to_dict(config), others) == list(config.run.sources)
    assert used_sources(to_dict(compose([])), others) == []


def test_joined_sources_keep_what_is_no_longer_named() -> None:
    assert joined_sources(["x:f x.py 1", "y:g y.py 2"], ["x:f x.py 3"]) == ("x:f x.py 3", "y:g y.py 2")
