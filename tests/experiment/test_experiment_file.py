"""experiment.yaml describes an experiment; without it, the defaults do."""

from pathlib import Path

import pytest
import yaml

from sleep_tune.errors import UserError
from sleep_tune.experiment.experiment_file import describe_experiment
from sleep_tune.search.space.search_space import Baseline, Claim, Finalists, Objective, Space
from sleep_tune.search.space.space_json import to_json


def test_a_real_space_is_understood(tmp_path: Path) -> None:
    """The description is written by the search layer; this holds the two to one another."""
    space = Space(
        name="study",
        objective=Objective(metric="eval/pairs_accuracy", mode="max"),
        baselines={"epochs": Baseline(trials=8), "as_epochs": Baseline()},
        finalists=Finalists(count=2, seeds=7),
        comparison=Claim(matched="flops"),
    )
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump({"space": to_json(space)}))
    experiment = describe_experiment(tmp_path)
    assert experiment.name == "study"
    assert (experiment.objective, experiment.mode) == ("eval/pairs_accuracy", "max")
    assert experiment.primary == "test/pairs_accuracy"
    assert experiment.tuned == {"epochs": 8, "as_epochs": 0}
    assert (experiment.workers, experiment.matched) == (1, "flops")


def test_without_a_description_the_defaults_stand_under_the_folders_name(tmp_path: Path) -> None:
    experiment = describe_experiment(tmp_path)
    assert (experiment.name, experiment.primary, experiment.mode) == (tmp_path.name, "test/nll", "min")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not YAML"),
        ("a: " + "[" * 1000, "is not YAML"),
        ("- 1", "it is no mapping but a list"),
        ("", "it is empty"),
        ("space: {comparison: {matched: wrds}}", "unknown comparison.matched 'wrds'; did you mean 'words'"),
    ],
)
def test_a_broken_description_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "experiment.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        describe_experiment(tmp_path)
