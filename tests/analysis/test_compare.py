"""The script over a small experiment, as a user calls it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sleep_tune.commands.compare import main
from sleep_tune.records import Event, Outcome
from sleep_tune.results.published_figures import PUBLISHED
from tests.analysis.commands import call
from tests.made import write_log
from tests.results.test_official_reports import write_model, write_report

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two arms over two seeds."""
    corpus = {"words": 1000, "samples": 10}
    events = [Event(event="opened", time=0.0, data={"space": "replay", "budget_words": 1000, "corpus": corpus})]
    for number, (arm, role) in enumerate({"epochs": "baseline", "t0001": "finalist"}.items()):
        for seed in (1000, 1001):
            outcome = Outcome(
                state="completed",
                words_seen=1000,
                updates=10,
                seconds=1.0,
                flops=1e9,
                device="cpu",
                metrics={"eval/nll": 2.0, "test/nll": 2.0 - number / 10 + seed / 1e5},
            )
            head: dict[str, Any] = {"trial": f"{arm}-s{seed}", "role": role, "arm": arm, "seed": seed, "time": 1.0}
            ended = Event(event="completed", data={"value": 2.0, "outcome": outcome.to_json()}, **head)
            asked = Event(event="asked", data={"study": "", "number": None, "parameters": {}, "group": ""}, **head)
            events += [asked, ended]
    write_log(tmp_path / "trials.jsonl", events)
    return tmp_path


def compare(*arguments: object) -> subprocess.CompletedProcess[str]:
    return call(main, *arguments)


def test_a_table_is_printed_and_written(folder: Path) -> None:
    """By the command itself, in a process of its own."""
    command = [sys.executable, "analysis/compare.py", str(folder)]
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("arms against epochs") == 1
    assert "t0001" in done.stdout
    assert "comparison.tex" in done.stdout
    assert "updates" in done.stdout
    assert done.stdout.startswith("No significant difference")
    assert (folder / "tables" / "comparison.md").is_file()


def test_a_folder_that_is_no_experiment_is_refused_in_one_line(tmp_path: Path) -> None:
    done = compare(tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert "trials.jsonl" in done.stderr
    assert str(tmp_path) in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_tables_go_to_the_output_folder_with_published_figures(folder: Path, tmp_path: Path) -> None:
    """The whole command line at once: published figures, another baseline, what is matched, another place."""
    figures = tmp_path / "figures.csv"
    figures.write_text("model,test/nll\nGPT,1.5\n")
    elsewhere = tmp_path / "elsewhere"
    arguments = ("--published", figures, "--baseline", "t0001", "--matched", "flops", "--output", elsewhere)
    done = compare(folder, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "arms against t0001" in done.stdout
    assert "at the same compute" in " ".join(done.stdout.split())
    table = (elsewhere / "comparison.csv").read_text()
    assert ",GPT,published," in table
    assert not (folder / "tables").exists()


def test_models_trained_elsewhere_have_no_table_of_costs(folder: Path, tmp_path: Path) -> None:
    models = [f"{name}={write_model(tmp_path, f'{name}-{seed}')}" for name in ("base", "ours") for seed in (1, 2)]
    done = compare(*models)
    assert done.returncode == 0, done.stderr
    assert "vs base" in done.stdout
    assert "settings" not in done.stdout
    assert "settings" in compare(folder).stdout


def test_a_mistake_in_figures_or_names_is_one_line_and_exit_code_2(folder: Path, tmp_path: Path) -> None:
    figures = tmp_path / "figures.csv"
    figures.write_text("model,test/nll\nGPT,fast\n")
    for arguments, message in (
        (("--published", figures), "figures.csv:2: test/nll must be a number, or empty; got 'fast'"),
        (("--baseline", "epoch"), "unknown arm 'epoch'; did you mean 'epochs'?"),
    ):
        done = compare(folder, *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_published_tables_are_found_by_name_and_all_are_named_in_the_help(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done = compare(folder, "--published", "babylm2026")
    assert (done.returncode, done.stderr) == (0, "")
    assert "BabyLM 2026" in done.stdout
    with pytest.raises(SystemExit):
        main(["--help"])
    named = capsys.readouterr().out
    assert [name for name in PUBLISHED if name not in named] == []


def test_the_year_of_reports_that_do_not_show_it_is_asked_for_and_given(tmp_path: Path) -> None:
    report = tmp_path / "ours" / "main" / "zero_shot" / "mlm" / "blimp" / "blimp_fast"
    write_report(report, {"UID": {"passive_1": 60.0, "wh_island": 50.0}}, 55.0)
    refused = compare(tmp_path / "ours")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "--protocol" in refused.stderr
    given = compare(tmp_path / "ours", "--protocol", "2026")
    assert (given.returncode, given.stderr) == (0, "")
    assert "55.00" in given.stdout
