"""Scores and files against the official pipeline's output on made-up data, which parity.md says how to make."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.evaluation import official_files
from sleep_tune.evaluation.items import choose
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.evaluation.suite import Suite, TaskScores
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import TASKS
from tests.evaluation import official_data

KEPT = Path(__file__).with_name("official")
RUNS = ("masked_mlm", "masked_mntp", "causal_causal", "causal_framed_causal")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("official")
    official_data.write_data(folder)
    return folder


def scored(run: str, data: Path, folder: Path) -> tuple[TaskScores, ...]:
    name, _, backend = run.rpartition("_")
    official_data.write_model(folder, name)
    # Another version of the library may count merges differently, so the tokenizer is stored too.
    shutil.copyfile(KEPT / f"{name}.tokenizer.json", folder / "tokenizer.json")
    model = load_model(folder, backend)
    tokenizer = load_fast_tokenizer(folder, backend, model)
    return Suite(find_task_folders(data, TASKS), tokenizer, backend=backend, batch_tokens=4096).score(model).tasks


@pytest.mark.parametrize("run", RUNS)
def test_scores_choices_and_files_are_the_pipelines(run: str, data: Path, tmp_path: Path) -> None:
    results = scored(run, data, tmp_path / "model")
    assert [result.name for result in results] == [name for name in TASKS if (KEPT / run / name).is_dir()]
    assert len(results) == 7
    for result in results:
        kept = KEPT / run / result.name
        theirs = np.loadtxt(kept / "scores.txt", ndmin=2)
        ours = np.stack(result.scores)
        np.testing.assert_allclose(ours, theirs, atol=1e-4, err_msg=result.name)
        assert [choose(scores) for scores in ours] == [choose(scores) for scores in theirs], result.name
        official_files.write_official(tmp_path / result.name, result)
        assert (tmp_path / result.name / official_files.REPORT).read_bytes() == (
            kept / official_files.REPORT
        ).read_bytes()
        if (kept / official_files.PREDICTIONS).exists():  # stored for some only, because they follow from the choices
            written = json.loads((tmp_path / result.name / official_files.PREDICTIONS).read_text())
            assert flat(written) == flat(json.loads((kept / official_files.PREDICTIONS).read_text())), result.name


def flat(predictions: dict[str, dict[str, list[dict[str, object]]]]) -> list[dict[str, object]]:
    """Return the rows in order; the last digits of a probability depend on the order of additions."""
    return [
        {name: pytest.approx(value, abs=1e-4) if name == "prob" else value for name, value in row.items()}
        for group in predictions.values()
        for row in group["predictions"]
    ]
