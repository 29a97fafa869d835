"""The columns that docs/api.md lists are those of the frames."""

import inspect
import re
from pathlib import Path

import pytest

import sleep_tune.api
from sleep_tune import load_experiment
from sleep_tune.evaluate.evaluation_results import EvaluationResults
from sleep_tune.evaluate.zero_shot import ZeroShot, score_zero_shot
from sleep_tune.results.frames import COLUMNS
from sleep_tune.results.trial_tables import metric_columns, parameter_columns
from tests.docs.pages import ROOT
from tests.evaluation import official_data
from tests.results.report.searches import make_search

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def listed(frame: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", SECTIONS[frame], re.MULTILINE)


def test_every_frame_of_an_experiment_has_the_columns_of_its_table(tmp_path: Path) -> None:
    make_search(tmp_path / "demo", 30, paradigms=["agreement", "binding"])
    experiment = load_experiment(tmp_path / "demo")
    for name in ("comparison", *COLUMNS.keys() - {"evaluations"}):
        assert list(getattr(experiment, name).columns) == listed(name), name
        assert name == "gain" or len(getattr(experiment, name)), name
    own = [*parameter_columns(experiment.trials), *metric_columns(experiment.trials)]
    assert list(experiment.trials.columns) == [*listed("trials"), *own]
    assert list(experiment.runs.columns) == [*listed("trials"), *own, *listed("runs")]
    assert listed("evaluations") == list(COLUMNS["evaluations"])


@pytest.mark.parametrize("name", COLUMNS)
def test_a_frame_without_a_row_has_its_columns(name: str, tmp_path: Path) -> None:
    make_search(tmp_path / "demo", 1, seeds=0)
    frame = getattr(load_experiment(tmp_path / "demo"), name, None)
    assert frame is None or {key: str(kind) for key, kind in frame.dtypes.items()} == COLUMNS[name]


def test_scores_and_items_have_the_columns_of_their_tables(tmp_path: Path) -> None:
    official_data.write_data(tmp_path / "data")
    official_data.write_model(tmp_path / "tiny", "causal")
    what = ZeroShot(model=tmp_path / "tiny", data=tmp_path / "data", tasks=("blimp",), output_dir=tmp_path / "out")
    results = EvaluationResults(list(score_zero_shot(what, lambda description, total: lambda tokens: None)))
    assert list(results.scores.columns) == listed("scores")
    assert list(results.items.columns) == listed("items")


@pytest.mark.parametrize("name", sleep_tune.api.__all__)
def test_the_examples_of_a_docstring_are_code(name: str) -> None:
    """Docutils reads an indented block as code after two colons only; the site has no other rule."""
    text = inspect.getdoc(getattr(sleep_tune, name)) or ""
    assert re.findall(r"(.*)\n\n {4}\S", text) == ["Usage::"]
