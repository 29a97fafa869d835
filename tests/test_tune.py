import csv
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sleep_tune.commands.search import main, parse
from sleep_tune.errors import UserError
from sleep_tune.interrupts import catching

ROOT = Path(__file__).parents[1]

SPACE = """\
base: {data: toy, data.sentences: 400, data.max_length: 64, tokenizer.vocab_size: 300, model: tiny, budget.passes: 2,
       evaluation.samples: 16, evaluation.pairs: 24, training.save_model: false}
parameters:
  sleep.folds: {choice: [2, 3]}
  sleep.replay.strategy: {choice: [strict, weighted]}
stop: {trials: 2}
baselines: {epochs: {}}
finalists: {count: 1, seeds: 2}
"""


def tune(*arguments: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(ROOT / "tune.py"), *arguments], capture_output=True, text=True, check=False, cwd=folder
    )


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(SPACE)
    return path


def test_the_command_that_resumes_can_be_pasted(tmp_path: Path) -> None:
    given = [str(tmp_path / "my space.yaml"), "baselines={epochs: {}}", "finalists.rungs=[]"]
    with catching() as interrupts, pytest.raises(UserError):
        main(given)
    assert shlex.split(interrupts.farewell.partition("To resume: ")[2]) == ["python", "tune.py", *given]


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("--stop.trials", "3"), "write stop.trials=3\n"),
        (("--name=mine",), "write name=mine\n"),
        (("--output_dir", "here"), "write --dir here\n"),
        (("--plann",), "did you mean --plan?"),
        (("--local",), "key=value"),
        (("--plan", "--status"), "one of them"),
    ],
)
def test_a_wrong_flag_is_refused(arguments: tuple[str, ...], fact: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["demo", *arguments])
    assert fact in capsys.readouterr().err


def test_help_lists_every_flag_and_section() -> None:
    result = tune("--help")
    assert result.returncode == 0
    for word in (
        "SPACE",
        "override",
        "--plan",
        "--calibrate",
        "--from",
        "--status",
        "--address",
        "--launcher",
        "--dir",
        "finalists",
        "first_rung",
        "Ctrl-C",
    ):
        assert word in result.stdout
    assert max(len(line) for line in result.stdout.splitlines()) <= 120


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "a search space is needed"),
        (("smal.yaml",), "smal.yaml: there is no such file; did you mean 'small.yaml'?"),
        (("small.yaml", "stop.trails=4"), "stop.trails"),
        (("small.yaml", "--launcher", "slurm"), "slurm"),
        (("small.yaml", "--from", "results/x"), "--from is for a plan: write --plan --from results/x"),
        (("small.yaml", "--calibrate"), "--calibrate measures for a plan: write --plan --calibrate"),
        (("small.yaml", "--status"), "there is no search named small in results"),
        (("small", "--status"), "there is no search named small in results"),
        (("tiny", "--status"), "tiny must be the file of a search space, or an experiment in results"),
        (("small.yaml", "--address", "head"), "--address must be auto, or host:port"),
        (("small.yaml", "resources.workers=1000"), "it needs 1000 worker(s)"),
        (("small.yaml", "sleep.length.passes=3"), "sleep.length.passes"),
    ],
)
def test_a_mistake_ends_in_one_message_and_leaves_nothing(
    arguments: tuple[str, ...], message: str, space: Path, tmp_path: Path
) -> None:
    result = tune(*arguments, folder=tmp_path)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == [space.name]


def test_a_plan_starts_nothing(space: Path, tmp_path: Path) -> None:
    result = tune("small.yaml", "--plan", "stop.trials=5", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "5 trials" in result.stdout
    assert "slot" in result.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.timeout(400)
def test_a_search_on_ray_ends_in_a_table_and_is_not_run_again(space: Path, tmp_path: Path) -> None:
    result = tune("small.yaml", folder=tmp_path)
    assert result.returncode == 0, result.stderr
    steps = ("reading the text ", "training a tokenizer ", "tokenizing ")
    assert [line for line in result.stderr.splitlines() if not line.startswith(steps)] == []
    folder = tmp_path / "results" / "small"
    rows = list(csv.DictReader((folder / "tables" / "comparison.csv").read_text().splitlines()))
    assert {row["arm"] for row in rows} >= {"epochs"}
    assert all(row["seeds"] == "2" for row in rows if row["metric"] == "test/nll")
    assert "epochs" in result.stdout.split("completed")[-1]

    log = (folder / "trials.jsonl").read_bytes()
    again = tune("small.yaml", folder=tmp_path)
    assert again.returncode == 0
    assert (folder / "trials.jsonl").read_bytes() == log
    assert again.stdout.strip() in result.stdout

    other = tune("small.yaml", "search.seed=3", folder=tmp_path)
    assert other.returncode == 2
    assert "holds another study: search.seed" in other.stderr
