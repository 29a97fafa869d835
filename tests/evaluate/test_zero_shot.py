"""The command `python -m sleep_tune.evaluate`, end to end on tiny models and made-up data."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from safetensors.torch import load_file, save_file

from sleep_tune import cli
from sleep_tune.commands.evaluate import main
from sleep_tune.commands.evaluate_arguments import parse_arguments
from sleep_tune.evaluation.score_files import read_previous_scores
from tests.evaluation import official_data
from tests.messages import missing
from tests.own_code import own_code


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fast_eval")
    official_data.write_data(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    official_data.write_model(folder, "causal")
    return folder


def run(*arguments: object) -> int:
    return cli.run(main, [str(argument) for argument in arguments])


def test_scores_are_printed_and_written(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ("--tasks", "blimp,wug_past_tense", "--revision-name", "chck_1M", "--output-dir", tmp_path)
    assert run(model, "--data", data, *wanted, "--batch-tokens", 500) == 0
    printed = capsys.readouterr().out
    assert "blimp_fast" in printed
    assert "macro average" in printed
    assert "warning: blimp_fast: 2 of 2 groups " in printed
    top = tmp_path / "tiny" / "chck_1M" / "zero_shot" / "causal"
    assert (top / "blimp" / "blimp_fast" / "best_temperature_report.txt").is_file()
    assert (top / "wug_past" / "wug_past_tense" / "predictions.json").is_file()
    scores = json.loads((top / "scores.json").read_text())
    assert list(scores["scores"]) == ["blimp_fast", "wug_past_tense", "macro"]
    assert scores["precision"] == "fp32"
    assert scores["warnings"] and all(f"warning: {warning}" in printed for warning in scores["warnings"])
    items = pd.read_parquet(top / "items.parquet")
    blimp = items[items["task"] == "blimp_fast"]
    assert 100 * blimp.groupby("uid")["correct"].mean().mean() == pytest.approx(scores["scores"]["blimp_fast"])
    assert ((blimp["margin"] >= 0) == (blimp["correct"] == 1)).all()
    assert items[items["task"] == "wug_past_tense"]["correct"].isna().all()


def test_a_task_of_the_users_own_is_scored_beside_the_others(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data / "blimp_fast", tmp_path / "data" / "blimp_fast")
    (tmp_path / "data" / "stripes").mkdir()
    (tmp_path / "data" / "stripes" / "a.csv").write_text("the dog,the cat,the fox\n" * 2)
    with own_code(tmp_path, {"zero_lab.py": STRIPES}):
        arguments = (model, "--data", "data", "--output-dir", "out")
        assert run(*arguments, "--tasks", "zero_lab:stripes,blimp") == 0
        row = next(line for line in capsys.readouterr().out.splitlines() if "stripes" in line)
        assert row.replace("│", " ").split()[:2] + row.replace("│", " ").split()[3:4] == ["stripes", "2", "33"]
        assert run(*arguments, "--tasks", "zero_lab:strips") == cli.MISTAKE
        assert not missing(capsys.readouterr().err, "--tasks=zero_lab:strips|stripes?")
    scores = json.loads(next((tmp_path / "out").rglob("scores.json")).read_text())["scores"]
    assert list(scores) == ["blimp_fast", "stripes", "macro"]
    assert scores["macro"] == scores["blimp_fast"]


STRIPES = """\
from sleep_tune.evaluation.items import Item, TextOption


def stripes(file):
    for line in file.content.decode().splitlines():
        yield Item(uid="stripes", id="", options=tuple(map(TextOption, line.split(","))))
"""


def test_a_hybrid_model_is_scored_by_both_back_ends_or_by_the_one_that_is_given(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = official_data.write_hybrid(tmp_path / "hybrid")
    assert run(folder, "--data", data, "--tasks", "blimp", "--output-dir", tmp_path / "both") == 0
    printed = capsys.readouterr().out
    files = {path.parent.name: path for path in (tmp_path / "both").rglob("scores.json")}
    assert list(sorted(files)) == ["causal", "mntp"]
    for backend, path in files.items():
        assert f"({backend}, fp32 on cpu)" in printed
        assert json.loads(path.read_text())["backend"] == backend
        one = ("--backend", backend, "--output-dir", tmp_path / backend)
        assert run(folder, "--data", data, "--tasks", "blimp", *one) == 0
        (alone,) = (tmp_path / backend).rglob("items.parquet")
        assert alone.read_bytes() == path.with_name("items.parquet").read_bytes()
    assert run(folder, "--data", data, "--backend", "mlm") == 2
    assert "--backend mntp or causal" in capsys.readouterr().err


def test_the_same_folder_has_the_same_scores_to_the_bit(data: Path, model: Path, tmp_path: Path) -> None:
    """Missing weights would have other random numbers each time."""
    for number in ("1", "2"):
        assert run(model, "--data", data, "--tasks", "supplement,comps", "--output-dir", tmp_path / number) == 0
    first, second = (
        {path.relative_to(top): path.read_bytes() for path in top.rglob("*") if path.is_file()}
        for top in (tmp_path / "1", tmp_path / "2")
    )
    assert first == second and len(first) == 6


def test_weights_that_were_not_saved_are_an_error_and_leave_no_results(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "deeper"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_layer": 5, "layer_types": None}))
    assert run(folder, "--data", data, "--tasks", "blimp", "--output-dir", tmp_path / "results") == 2
    message = capsys.readouterr().err
    assert "error: " in message and "transformer.h.2." in message and "missing" in message
    assert not (tmp_path / "results").exists()


def test_a_prefix_that_was_removed_is_a_warning(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "compiled"
    shutil.copytree(model, folder)
    weights = load_file(model / "model.safetensors")
    save_file({f"_orig_mod.{name}": weight for name, weight in weights.items()}, folder / "model.safetensors")
    assert run(folder, "--data", data, "--tasks", "blimp", "--output-dir", tmp_path) == 0
    assert "'_orig_mod.', which was removed" in capsys.readouterr().out
    (path,) = (tmp_path / "compiled").rglob("scores.json")
    assert any("'_orig_mod.'" in warning for warning in json.loads(path.read_text())["warnings"])


def test_overwriting_another_model_of_the_same_name_is_a_warning(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other" / model.name
    shutil.copytree(model, other)
    wanted = ("--data", data, "--tasks", "wug_past_tense", "--output-dir", tmp_path)
    for again in (model, model):
        assert run(again, *wanted) == 0
    assert "another model" not in capsys.readouterr().out
    assert run(other, *wanted) == 0
    assert f"another model with the same name, {model};" in capsys.readouterr().out


def test_scores_that_are_dropped_from_the_file_are_a_warning(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """scores.json holds the scores of one command: the last one."""
    wanted = ("--data", data, "--output-dir", tmp_path, "--tasks")
    assert run(model, *wanted, "supplement,comps") == 0
    assert "held scores of" not in capsys.readouterr().out
    assert run(model, *wanted, "wug_past_tense,comps") == 0
    assert "scores.json held scores of supplement_fast too" in capsys.readouterr().out


@pytest.mark.parametrize("content", ["[1]", '{"scores": 3}', '{"model": 3}', "{", "[" * 100_000])
def test_broken_previous_scores_are_ignored(content: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_text(content)
    assert read_previous_scores(path) == (None, ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--tasks", "blimp_fats"), "did you mean 'blimp_fast'?"),
        (("--tasks", "comps", "--backend", "mlm"), "AutoModelForMaskedLM"),
    ],
)
def test_a_mistake_is_one_message_and_exit_2(
    data: Path, model: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    assert run(model, "--data", data, *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_tasks_names_what_was_looked_for(
    tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(model, "--data", tmp_path) == 2
    assert "blimp_fast, blimp_filtered, supplement_fast" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["x"],
        ["x", "--data", "y", "--batch-tokens", "0"],
        ["x", "--data", "y", "--glue", "--workers", "0"],
        ["x", "--data", "y", "--dtype", "fp16"],
        ["x", "--data", "y", "--tasks", " ,"],
    ],
)
def test_arguments_that_cannot_be_parsed_exit_with_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_arguments(arguments)
    assert ended.value.code == 2


def test_a_missing_gpu_is_refused(data: Path, model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert run(model, "--data", data, "--device", "cuda") == 2
    said = capsys.readouterr().err
    assert "--device" in said
    assert "cuda" in said


def test_help_is_printed_without_loading_a_library() -> None:
    code = (
        "import sys; import sleep_tune.commands.evaluate\nprint({'torch', 'transformers', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    done = subprocess.run(
        [sys.executable, "-m", "sleep_tune.evaluate", "--help"], capture_output=True, text=True, check=True
    )
    assert "entity_tracking_fast" in done.stdout


def test_scores_of_another_protocol_are_not_replaced(
    data: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (model, "--data", data, "--tasks", "ewok", "--output-dir", tmp_path)
    path = tmp_path / "tiny" / "main" / "zero_shot" / "causal" / "scores.json"
    assert run(*arguments) == 0
    assert json.loads(path.read_text())["protocol"] == "2025"
    assert run(*arguments, "--protocol", "2026") == 2
    assert not missing(capsys.readouterr().err, "2025|2026|--output-dir")
    path.unlink()
    assert run(*arguments, "--protocol", "2026", "--draw-ties", "--seed", 3) == 0
    assert "wug_past_tense" in capsys.readouterr().out
    scores = json.loads(path.read_text())
    assert (scores["protocol"], scores["ties"]) == ("2026", "drawn with seed 3")
