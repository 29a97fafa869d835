"""Fine-tuning, ages of acquisition and submissions by the evaluation command."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sleep_tune.commands import evaluate
from sleep_tune.commands.evaluate import main
from sleep_tune.data.prepare import prepare
from sleep_tune.errors import DataError
from sleep_tune.evaluation.learning_curves import AGES
from sleep_tune.training import word_checkpoints
from sleep_tune.training.run import train
from tests.evaluation.folders import write_blimp, write_rows
from tests.evaluation.test_aoa import CONTEXTS, synthetic
from tests.evaluation.tiny import tiny_model, tiny_tokenizer
from tests.training.runs import DATA, TOKENIZER, keep_training, make_config, weigh


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
    assert main(command) == 0
    printed = capsys.readouterr().out
    path = tmp_path / "results" / "run" / "main" / "zero_shot" / "mlm" / "AoA_word" / "surprisal.json"
    assert "3 words in 4 contexts at 2 checkpoints (mlm)" in printed and str(path) in printed
    assert "17 checkpoints of strict-small" in printed and "chck_3M" in printed
    assert "warning: 1 contexts" in printed and "cdi_human.csv" in printed
    assert json.loads(path.read_text(encoding="utf-8"))["metadata"]["completed_steps"] == 2

    synthetic(data)
    assert main([*command, "--checkpoints", str(run / "checkpoints"), "--track", "strict"]) == 0
    assert "r = 0.000 (p = nan) over 0 words" in capsys.readouterr().out


def write_glue(data: Path) -> None:
    for task in ("rte", "mrpc"):
        for split, size in (("train", 64), ("valid", 8)):
            rows = [{"sentence1": "the dog", "sentence2": "a cafe", "label": n % 2} for n in range(size)]
            write_rows(data / "glue_filtered" / f"{task}.{split}.jsonl", rows)


def test_fine_tuning_by_the_command(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "SILENCE", 0.01)
    write_glue(tmp_path)
    output = ["--output-dir", str(tmp_path / "results"), "--device", "cpu"]
    assert main([str(run / "model"), "--data", str(tmp_path), "--glue", *output]) == 0
    printed = capsys.readouterr()
    require_fine_tuned(tmp_path / "results", printed.out)
    assert {"fine-tuning on mrpc, rte: 0%", "fine-tuning on mrpc, rte: 50%"} <= {*printed.err.splitlines()}


def test_each_year_fine_tunes_by_its_own_rule_and_keeps_the_scores_of_the_other(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_glue(tmp_path)
    output = tmp_path / "results"
    command = [str(run / "model"), "--data", str(tmp_path), "--device", "cpu", "--output-dir", str(output)]
    assert main([*command, "--glue", "--tasks", "rte", "--epochs", "1", "--batch-size", "16"]) == 0
    path = output / "run" / "main" / "finetune" / "rte" / "scores.json"
    scores = json.loads(path.read_text(encoding="utf-8"))
    assert (scores["protocol"], scores["token"]) == ("2026", "last")
    assert scores["changed_settings"] == {"batch_size": 16, "epochs": 1}
    assert "batch_size 16, epochs 1" in capsys.readouterr().out

    with pytest.raises(DataError, match=r"protocol 2025.*2026"):
        main([*command, "--glue", "--tasks", "rte", "--protocol", "2025"])
    assert main([*command[:-1], str(tmp_path / "old"), "--glue", "--tasks", "rte", "--protocol", "2025"]) == 0
    old = json.loads((tmp_path / "old" / path.relative_to(output)).read_text(encoding="utf-8"))
    assert (old["protocol"], old["token"]) == ("2025", "first") and "changed_settings" not in old
    for setting in (["--epochs", "1"], ["--learning-rate", "1e-3"], ["--batch-size", "8"], ["--accumulate", "2"]):
        with pytest.raises(SystemExit):
            main([*command, *setting])
        assert f"{setting[0]} is a setting of fine-tuning" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*command, "--glue", "--learning-rate", "0"])
    with pytest.raises(DataError, match=r"--accumulate .*32.*got 5"):
        main([*command, "--glue", "--tasks", "rte", "--accumulate", "5"])


@pytest.mark.slow
@pytest.mark.ray
def test_fine_tuning_in_parallel_by_the_command(run: Path, tmp_path: Path) -> None:
    """On a new Ray, not that of RAY_ADDRESS.

    In a process of its own, because Ray reads its environment variables when it is imported.
    """
    write_glue(tmp_path)
    output = tmp_path / "results"
    command = [sys.executable, "-m", "sleep_tune.evaluate", str(run / "model"), "--output-dir", str(output), "--glue"]
    command += ["--data", str(tmp_path), "--workers", "2", "--device", "cpu"]
    environment = os.environ | {"RAY_ADDRESS": "10.255.255.1:6379"}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    require_fine_tuned(output, ended.stdout)


def require_fine_tuned(output: Path, printed: str) -> None:
    """The scores of both tasks are printed and their files are written."""
    assert "rte: accuracy 50.00, f1 " in printed and "cut at 200 tokens" in printed
    assert "average: " in printed and "accuracy of all: 50.00" in printed
    assert "warning" not in printed
    for task in ("rte", "mrpc"):
        folder = output / "run" / "main" / "finetune" / task
        scores = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
        assert scores["token"] == "last" and scores["warnings"] == [] and scores["seed"] == 42
        rows = json.loads((folder / "predictions.json").read_text(encoding="utf-8"))[task]["predictions"]
        assert [row["id"] for row in rows] == [f"{task}_{n}" for n in range(8)]
        metrics = [line.split(":")[0] for line in (folder / "results.txt").read_text().splitlines()]
        assert metrics == ["accuracy", "f1", "mcc"]


def test_fine_tuning_and_ages_of_acquisition_refuse_weights_that_were_not_saved(run: Path, tmp_path: Path) -> None:
    """They open models with the same checks as the zero-shot tasks."""
    write_glue(tmp_path)
    (tmp_path / "aoa").mkdir()
    (tmp_path / "aoa" / "cdi_childes.json").write_text(json.dumps(CONTEXTS), encoding="utf-8")
    for folder in (run / "model", run / "checkpoints" / "chck_2M"):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    for request, refused in (("--glue", "model"), ("--aoa", "chck_2M")):
        command = [str(run / "model"), "--data", str(tmp_path), request, "--output-dir", str(tmp_path / "results")]
        with pytest.raises(DataError, match=rf"{refused} .*encoder\.layer\.2\..* missing"):
            main(command)
    assert not (tmp_path / "results").exists()


def test_the_gaps_of_a_submission_are_listed(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file of a complete one is tested with the collation."""
    output = ["--output-dir", str(tmp_path / "results")]
    command = [str(run / "model"), "--data", str(tmp_path), "--submission", *output]
    with pytest.raises(DataError, match=r"strict-small; 35 things .*:\n  .*blimp"):
        main([*command, "--protocol", "2025"])
    with pytest.raises(DataError, match=r"results/run .*no such folder"):
        main(command)
    (tmp_path / "results" / "run").mkdir(parents=True)
    assert main(command) == 0
    assert "36 things" in capsys.readouterr().out
    (written,) = (tmp_path / "results" / "run").iterdir()
    content = json.loads(written.read_text(encoding="utf-8"))
    assert content.pop("glue") == {}
    assert {value for scores in content.pop("fast_eval_results").values() for value in scores} == {None}
    assert set(content.values()) == {None}


@pytest.fixture
def thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are saved at thousands of words, under the names of millions."""
    monkeypatch.setattr(word_checkpoints, "MILLION", 1000)


@pytest.mark.slow
@pytest.mark.usefixtures("thousands")
def test_a_run_s_own_checkpoints_have_ages_of_acquisition(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From training to the agreement with children, and a checkpoint's fast tasks into the same folder of results."""
    config = make_config(tmp_path / "run", word_checkpoints=True)
    config.budget.passes, config.budget.words = None, 10_000
    train(config, keep_training, corpus=prepare(DATA, TOKENIZER), evaluate=weigh)

    data = tmp_path / "full_eval" / "aoa"
    data.mkdir(parents=True)
    contexts = [{"context": context} for context in ("the dog sees", "some", "the cats that the boy likes", "the")]
    words = ("dogs", "cats", "dog", "boy", "sees", "likes")
    (data / "cdi_childes.json").write_text(json.dumps(dict.fromkeys(words, contexts)), encoding="utf-8")
    shares = [round(1 / (1 + math.exp((23 - month) / 2)), 3) for month in AGES]
    lines = [["word", *map(str, AGES)], *([word, *map(str, shares)] for word in words)]
    (data / "cdi_human.csv").write_text("\n".join(map(",".join, lines)) + "\n", encoding="utf-8")
    output = ["--output-dir", str(tmp_path / "results")]
    assert main([str(tmp_path / "run" / "model"), "--data", str(data.parent), "--aoa", *output]) == 0
    printed = capsys.readouterr().out
    path = tmp_path / "results" / "run" / "main" / "zero_shot" / "mlm" / "AoA_word" / "surprisal.json"
    assert "6 words in 24 contexts at 10 checkpoints (mlm)" in printed and str(path) in printed
    assert "children's ages of acquisition: r = " in printed and "chck_20M" in printed and "chck_10M" not in printed
    rows = json.loads(path.read_text(encoding="utf-8"))["results"]
    steps = [[row["surprisal"] for row in rows if row["step"] == f"chck_{n}M"] for n in range(1, 11)]
    assert np.isfinite(steps).all() and len(set(map(tuple, steps))) == 10

    write_blimp(tmp_path / "fast_eval" / "blimp_fast")
    checkpoint = tmp_path / "run" / "checkpoints" / "chck_2M"
    assert main([str(checkpoint), "--data", str(tmp_path / "fast_eval"), *output]) == 0
    assert (tmp_path / "results" / "run" / "chck_2M" / "zero_shot" / "mlm" / "blimp" / "blimp_fast").is_dir()
