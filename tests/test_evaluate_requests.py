"""What the evaluation command does on request, and that it says what is missing."""

import json
from pathlib import Path

import pytest

from sleep_tune import evaluate
from sleep_tune.babylm import AOA_CHECKPOINTS
from sleep_tune.errors import DataError
from sleep_tune.evaluation.submission import FAST, FULL, missing
from tests.evaluation.folders import write_rows
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
    path = tmp_path / "results" / "model" / "main" / "zero_shot" / "mlm" / "AoA_word" / "surprisal.json"
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
@pytest.mark.parametrize("workers", ["1", "2"])
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
        folder = output / "model" / "main" / "finetune" / task
        rows = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))[task]["predictions"]
        assert [row["id"] for row in rows] == [f"{task}_{n}" for n in range(8)]
        assert [line.split(":")[0] for line in (folder / "results.txt").read_text().splitlines()] == [
            "accuracy",
            "f1",
            "mcc",
        ]


def write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def whole(results: Path) -> None:
    """A submission with the official sizes, of empty predictions."""
    from sleep_tune.babylm_sizes import AOA_CONTEXTS, FOLDER_SIZES, GLUE

    top = results / "main" / "zero_shot" / "mlm"
    for folder, place in FULL.items():
        groups = {group.replace("*", folder): size for group, size in FOLDER_SIZES[folder].items()}
        write(top / place / "predictions.json", {group: {"predictions": [0] * n} for group, n in groups.items()})
    for task, size in GLUE.items():
        write(results / "main" / "finetune" / task / "predictions.json", {task: {"predictions": [0] * size}})
    steps = [f"chck_{n}M" for n in AOA_CHECKPOINTS["strict-small"]]
    write(top / "AoA_word" / "surprisal.json", {"results": [{"step": step} for step in steps] * AOA_CONTEXTS})
    for step in steps:
        for folder, place in FAST.items():
            groups = {group.replace("*", folder): size for group, size in FOLDER_SIZES[folder].items()}
            path = results / step / "zero_shot" / "mlm" / place / "predictions.json"
            write(path, {group: {"predictions": [0] * n} for group, n in groups.items()})


@pytest.mark.slow
def test_a_whole_submission_is_told_and_each_gap_is_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results" / "model"
    command = [str(run / "model"), "--data", str(tmp_path), "--submission", "--output-dir", str(results.parent)]
    with pytest.raises(DataError, match=r"is no whole submission for strict-small; it lacks 35 things:\n  .*blimp"):
        evaluate.main(command)
    whole(results)
    assert missing(results, "mlm", "strict-small") == []
    assert evaluate.main(command) == 0
    assert f"{results} is whole" in capsys.readouterr().out

    (results / "main" / "finetune" / "rte" / "predictions.json").unlink()
    write(results / "main" / "finetune" / "wsc" / "predictions.json", {"wsc": {"predictions": [0]}})
    write(results / "main" / "zero_shot" / "mlm" / "comps" / "comps" / "predictions.json", {"x": {"predictions": []}})
    write(results / "chck_1M" / "zero_shot" / "mlm" / "reading" / "predictions.json", {"reading": {"predictions": [0]}})
    write(results / "main" / "zero_shot" / "mlm" / "AoA_word" / "surprisal.json", {"results": []})
    told = "\n".join(missing(results, "mlm", "strict-small"))
    for text in (
        "rte/predictions.json (fine-tuning on rte)",
        "wsc must have 52 predictions; it has 1",
        "comps has no group 'x'",
        "comps must have the group 'base'",
        "reading must have 1726 predictions; it has 1",
        "chck_100M must have 8005 contexts; it has 0",
    ):
        assert text in told
