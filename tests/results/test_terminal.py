"""How a comparison looks: widths, markup, Markdown, the tidy CSV."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console

from sleep_tune.babylm.score_names import known_scores
from sleep_tune.results.comparison import compare
from sleep_tune.results.markup import as_markdown
from sleep_tune.results.table_files import tidy
from sleep_tune.results.terminal import print_comparison

PARAMETERS = {"sleep.folds": 20, "sleep.replay.ratio": 0.312345, "sleep.length.ratio": 1.0, "sleep.context": "keep"}


@pytest.fixture
def folder(log: Any) -> Path:
    """Three arms over five seeds; the finalist is better; one run of another is missing."""
    log.open(parameters={key: {} for key in PARAMETERS})
    rng = np.random.default_rng(0)
    for seed in range(1000, 1005):
        base = rng.normal(4.1, 0.02)
        log.run("epochs", seed, base, 0.81)
        log.run("as_epochs", seed, base + rng.normal(0, 0.01), 0.82)
        nll = base - 0.1 + rng.normal(0, 0.01)
        log.run("t0007", seed, nll, 0.86 + rng.normal(0, 0.01), role="finalist", parameters=PARAMETERS)
    log.ask("t0009-s1", role="finalist", arm="t0009", seed=1000)
    folder: Path = log.folder
    return folder


def printed(folder: Path, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    print_comparison(compare(folder), console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [100, 120])
def test_the_terminals_form_fits_and_cuts_nothing(folder: Path, width: int) -> None:
    text = printed(folder, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert "…" not in text
    for part in (
        "epochs",
        "as_epochs",
        "t0007",
        "finalist",
        "test nll",
        "perplexity",
        "test pairs %",
        "[",
        "p < 0.001",
    ):
        assert part in text
    assert "folds 20, replay.ratio 0.3123" in text
    assert text.startswith("Sleep beats epochs")


def test_a_narrow_terminal_goes_without_perplexity_and_cuts_nothing(folder: Path) -> None:
    text = printed(folder, 80)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "…" not in text
    assert "perplexity" not in text
    assert "[-0." in text


@pytest.mark.parametrize("name", ["strict_replay_in_every_epoch_with_a_decay_of_0.9", "睡眠" * 20])
def test_a_long_name_leaves_the_numbers_their_room(folder: Path, name: str, log: Any) -> None:
    log.run(name, 1000, 4.25, 0.7, role="finalist", parameters=PARAMETERS)
    text = printed(folder, 80)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "…" not in text
    assert "4.250" in text
    assert "[-0." in text


@pytest.mark.parametrize(
    ("options", "times"),
    [({}, 1), ({"force_terminal": True, "height": 24}, 2), ({"force_terminal": True, "height": 90}, 1)],
)
def test_the_verdict_is_printed_first_and_again_where_it_has_left_the_screen(
    folder: Path, options: dict[str, Any], times: int
) -> None:
    console = Console(file=io.StringIO(), width=100, color_system=None, **options)
    comparison = compare(folder)
    print_comparison(comparison, console, lambda: "More: results/x/report.html")
    assert isinstance(console.file, io.StringIO)
    text, verdict = " ".join(console.file.getvalue().split()), " ".join(comparison.verdict.split())
    assert text.startswith(verdict)
    assert text.count(verdict) == times
    assert text.endswith(verdict if times == 2 else "More: results/x/report.html")
    assert text.index("Not finished: t0009") < text.index("More: results/x/report.html")


def test_an_empty_experiment_is_printed_too(log: Any) -> None:
    log.open()
    assert "No verdict yet" in printed(log.folder, 100)
    assert "No verdict yet" in as_markdown(compare(log.folder))


def test_markdown_is_a_table_of_one_width_with_claims_in_bold(folder: Path) -> None:
    text = as_markdown(compare(folder))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 6
    assert len({row.count("|") for row in rows}) == 1
    assert "| as_epochs (control) | – | 5 |" in text  # noqa: RUF001
    finalist = next(row for row in rows if row.startswith("| t0007"))
    assert "**-0." in finalist
    assert "**" not in next(row for row in rows if row.startswith("| as_epochs"))
    assert "- Not finished: t0009, seed 1000." in text


def test_the_tidy_table_has_a_row_per_arm_and_metric(folder: Path) -> None:
    table = tidy(compare(folder))
    assert not table.duplicated(["arm", "metric"]).any()
    assert set(table["arm"]) == {"epochs", "as_epochs", "t0007", "t0009"}
    assert {"test/nll", "test/pairs/agreement", "eval/nll", "words_seen", "flops", "cpu_hours"} <= set(table["metric"])
    finalist = table[(table["arm"] == "t0007") & (table["metric"] == "test/nll")].iloc[0]
    assert (finalist["seeds"], finalist["shared_seeds"]) == (5, 5)
    assert "replay.ratio 0.312345," in finalist["parameters"]
    assert finalist["p"] <= finalist["p_holm"] < 0.05
    assert finalist["difference_low"] < finalist["difference"] < finalist["difference_high"] < 0
    assert table[table["arm"] == "epochs"]["difference"].isna().all()


def test_tasks_that_do_not_fit_are_in_tables_of_their_own(log: Any) -> None:
    """One wide table had columns of no width, and so no figure at all."""
    tasks = [name for name in known_scores() if name.endswith("_fast") or name.startswith(("wug", "reading"))]
    log.open()
    for seed in (1, 2):
        scores = {f"babylm/{name}": 10.0 + at + seed for at, name in enumerate(tasks)}
        log.run("epochs", seed, 2.0, 0.8, metrics=scores)
        log.run("t0001-with-a-name-that-is-long", seed, 2.0, 0.8, role="finalist", metrics=scores)
    comparison = compare(log.folder)
    for width in (80, 120):
        console = Console(file=io.StringIO(), width=width)
        print_comparison(comparison, console)
        assert isinstance(console.file, io.StringIO)
        printed = console.file.getvalue()
        assert all(f"{11.5 + at:.2f}" in printed for at in range(len(tasks)))
