"""Scores and files against the official pipeline's output on made-up data, which parity.md says how to make."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.babylm.data_protocol import protocol_of_data
from sleep_tune.babylm.protocols import PROTOCOLS
from sleep_tune.evaluation import official_files
from sleep_tune.evaluation.items import best_options
from sleep_tune.evaluation.model_folder import load_fast_tokenizer, load_model
from sleep_tune.evaluation.suite import Suite, TaskScores
from sleep_tune.evaluation.task_folders import find_task_folders
from sleep_tune.evaluation.tasks import tasks_of
from tests.evaluation import official_data

KEPT = Path(__file__).with_name("official")
RUNS = ("masked_mlm", "masked_mntp", "causal_causal", "causal_framed_causal")


@pytest.fixture(scope="module", params=sorted(official_data.FILES))
def data(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    year: str = request.param
    folder = tmp_path_factory.mktemp("official") / year
    official_data.write_data(folder, year=year)
    return folder


def scored(name: str, backend: str, data: Path, folder: Path, *, draw_ties: bool) -> tuple[TaskScores, ...]:
    official_data.write_model(folder, name)
    # Another version of the library may count merges differently, so the tokenizer is stored too.
    stored = KEPT / f"{name}.tokenizer.json"
    if stored.exists():
        shutil.copyfile(stored, folder / "tokenizer.json")
    model = load_model(folder, backend)
    tokenizer = load_fast_tokenizer(folder, backend, model)
    protocol = protocol_of_data(data)
    folders = find_task_folders(data, tasks_of(protocol))
    suite = Suite(folders, tokenizer, backend=backend, batch_tokens=4096, protocol=protocol, draw_ties=draw_ties)
    return suite.score(model).tasks


@pytest.mark.parametrize("run", RUNS)
def test_scores_choices_and_files_are_the_pipelines(run: str, data: Path, tmp_path: Path) -> None:
    year = data.name
    name, _, backend = run.rpartition("_")
    results = scored(name, backend, data, tmp_path / "model", draw_ties=True)
    assert protocol_of_data(data) == PROTOCOLS[year]
    assert {result.name for result in results} == {folder.name for folder in (KEPT / year / run).iterdir()}
    assert len(results) == {"2025": 7, "2026": 8}[year]
    for result in results:
        kept = KEPT / year / run / result.name
        theirs = np.loadtxt(kept / "scores.txt", ndmin=2)
        ours = np.stack(result.scores)
        np.testing.assert_allclose(ours, theirs, atol=1e-4, err_msg=result.name)
        assert [best_options(scores) for scores in ours] == [best_options(scores) for scores in theirs], result.name
        official_files.write_official(tmp_path / result.name, result)
        assert (tmp_path / result.name / official_files.REPORT).read_bytes() == (
            kept / official_files.REPORT
        ).read_bytes()
        if (kept / official_files.PREDICTIONS).exists():  # stored for some only, because they follow from the choices
            written = json.loads((tmp_path / result.name / official_files.PREDICTIONS).read_text())
            assert flat(written) == flat(json.loads((kept / official_files.PREDICTIONS).read_text())), result.name


def test_a_model_that_knows_nothing_scores_chance_in_2026(tmp_path: Path) -> None:
    """All its options tie that have as many tokens, or whose scores are divided by their number."""
    official_data.write_data(tmp_path / "data", year="2026")
    results = scored("uniform", "causal", tmp_path / "data", tmp_path / "model", draw_ties=False)
    scores = {result.name: result.score for result in results}
    expected = {"ewok_fast": 50.0, "ewok_filtered": 50.0, "global_piqa_parallel": 25.0, "global_piqa_nonparallel": 50.0}
    assert {name: scores[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def flat(predictions: dict[str, dict[str, list[dict[str, object]]]]) -> list[dict[str, object]]:
    """Return the rows in order; the last digits of a probability depend on the order of additions."""
    return [
        {name: pytest.approx(value, abs=1e-4) if name == "prob" else value for name, value in row.items()}
        for group in predictions.values()
        for row in group["predictions"]
    ]
