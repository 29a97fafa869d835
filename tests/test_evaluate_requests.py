"""What the evaluation command does on request, and that it says what is missing."""

import json
from pathlib import Path

import pytest

from sleep_tune import evaluate
from sleep_tune.errors import DataError
from tests.evaluation.folders import write_rows
from tests.evaluation.made_submission import write_fast_data, write_results
from tests.evaluation.test_aoa import CONTEXTS, synthetic
from tests.evaluation.tiny import tiny_model, tiny_tokenizer


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with a model and two checkpoints."""
    tokenizer = tiny_tokenizer(["the dog saw the cafe", "they went to a cafe"])
    for name in ("model", "checkpoints/chck_1M", "checkpoints/chck_2M"):
        tiny_model("mlm", tokenizer).save_pretrained(tmp_path / "run" / name)
        tokenizer.save_pretrained(tmp_path / "run" / name)
    return tmp_path / "run"


def test_ages_of_acquisition_by_the_command(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "full_eval" / "aoa"
    data.mkdir(parents=True)
    (data / "cdi_childes.json").write_text(json.dumps(CONTEXTS), encoding="utf-8")
    command = [str(run / "model"), "--data", str(data.parent), "--aoa", "--output-dir", str(tmp_path / "results")]
    assert evaluate.main(command) == 0
    told = capsys.readouterr().out
    path = tmp_path / "results" / "run" / "main" / "zero_shot" / "mlm" / "AoA_word" / "surprisal.json"
    assert f"3 words in 4 contexts at 2 checkpoints (mlm): {path}" in told
    assert "17 checkpoints of strict-small are not in" in told and "chck_3M" in told
    assert "1 contexts are longer" in told and "cdi_human.csv is not there" in told
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["completed_steps"] == 2

    synthetic(data)
    assert evaluate.main([*command, "--checkpoints", str(run / "checkpoints"), "--track", "strict"]) == 0
    assert "agreement with children: r = 0.000 (p = nan) over 0 words" in capsys.readouterr().out


def write_glue(data: Path) -> None:
    for task in ("rte", "mrpc"):
        for split, size in (("train", 64), ("valid", 8)):
            rows = [{"sentence1": "the dog", "sentence2": "a cafe", "label": n % 2} for n in range(size)]
            write_rows(data / "glue_filtered" / f"{task}.{split}.jsonl", rows)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.ray)])
def test_fine_tuning_by_the_command(
    workers: str, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, and side by side on Ray; the files are the same."""
    write_glue(tmp_path)
    output = tmp_path / "results"
    command = [str(run / "model"), "--data", str(tmp_path), "--glue", "--workers", workers, "--device", "cpu"]
    assert evaluate.main([*command, "--output-dir", str(output)]) == 0
    told = capsys.readouterr().out
    assert "rte: accuracy 50.00, f1 " in told and "pairs cut at 200 tokens" in told
    assert "average: " in told and "accuracy of all: 50.00" in told
    for task in ("rte", "mrpc"):
        folder = output / "run" / "main" / "finetune" / task
        rows = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))[task]["predictions"]
        assert [row["id"] for row in rows] == [f"{task}_{n}" for n in range(8)]
        assert [line.split(":")[0] for line in (folder / "results.txt").read_text().splitlines()] == [
            "accuracy",
            "f1",
            "mcc",
        ]


@pytest.mark.slow
def test_a_whole_submission_is_written_and_gaps_are_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, results = write_fast_data(tmp_path / "fast_eval"), tmp_path / "results" / "run"
    command = [str(run / "model"), "--data", str(data), "--submission", "--output-dir", str(results.parent)]
    with pytest.raises(DataError, match=r"is no whole submission for strict-small; it lacks 35 things:\n  .*blimp"):
        evaluate.main(command)
    write_results(results, data, backend="mlm", track="strict-small")
    assert evaluate.main(command) == 0
    path = results / "all_full_preds_and_fast_scores_mlm.json"
    assert f"whole for strict-small: {path} (" in capsys.readouterr().out
    assert list(json.loads(path.read_text(encoding="utf-8")))[-2:] == ["glue", "fast_eval_results"]
