"""Variants of metrics in tables: beside their plain metric, never a task, an endpoint or part of an average."""

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from rich.console import Console

from sleep_tune.results.answers import read_answers
from sleep_tune.results.columns import column, sort_metrics, value_range
from sleep_tune.results.comparison import compare
from sleep_tune.results.markup import as_markdown
from sleep_tune.results.sheet import shown_metrics
from sleep_tune.results.table_files import tidy
from sleep_tune.results.terminal import print_comparison
from sleep_tune.results.winner import find_winner
from tests.results.conftest import SyntheticLog, has_note


@pytest.fixture
def folder(log: SyntheticLog) -> Path:
    """Hybrid runs with averaged weights: every metric has variants."""
    log.open()
    for seed in (1, 2, 3):
        for arm, role in (("epochs", "baseline"), ("t0001", "finalist")):
            extra = {"causal/test/nll": 3.5 + seed / 100, "ema/test/nll": 2.4, "causal/test/perplexity": 33.0}
            extra |= {f"babylm/{task}": 60.0 + seed for task in ("blimp_filtered", "comps")}
            extra |= {"causal/babylm/blimp_filtered": 55.0 + seed, "causal/babylm/comps": 99.0}
            log.run(arm, seed, 2.5 + seed / 100, 0.8, role=role, metrics=extra)
    return log.folder


def test_a_variant_follows_its_metric_under_a_plain_heading() -> None:
    keys = ["words_seen", "ema/test/nll", "causal/babylm/comps", "babylm/comps", "causal/test/nll", "test/nll"]
    assert sort_metrics(keys) == [
        *("test/nll", "causal/test/nll", "ema/test/nll"),
        *("babylm/comps", "causal/babylm/comps", "words_seen"),
    ]
    assert [column(key).heading for key in ("test/nll", "ema/test/nll", "causal/babylm/comps")] == [
        *("test nll", "test nll (ema)", "COMPS (causal)"),
    ]
    assert column("ema/causal/babylm/comps").heading == "COMPS (ema, causal)"
    assert (column("ema/test/nll").better, column("causal/babylm/comps").better) == ("min", "max")
    assert value_range("causal/babylm/wug_past_tense") == value_range("babylm/wug_past_tense") == (-100.0, 100.0)


def test_variants_are_shown_and_written_but_are_no_endpoints_and_not_in_the_average(folder: Path) -> None:
    comparison = compare(folder)
    assert [key for key in comparison.endpoints if key.startswith(("causal/", "ema/"))] == []
    assert {"causal/test/nll", "ema/test/nll", "causal/babylm/comps"} <= set(shown_metrics(comparison))
    assert comparison.arms[0].values["babylm/macro"] == {seed: 60.0 + seed for seed in (1, 2, 3)}
    assert comparison.arms[0].values["causal/babylm/macro"] == {seed: 77.0 + seed / 2 for seed in (1, 2, 3)}
    assert has_note(comparison, "Macro average: over the 2 scores")
    assert has_note(comparison, "Macro average (causal): over the 2 scores")
    assert {"causal/test/nll", "ema/test/nll", "causal/babylm/comps"} <= set(tidy(comparison)["metric"])
    assert "test nll (ema)" in as_markdown(comparison)


@pytest.mark.parametrize("width", [80, 100, 140])
def test_the_terminal_shows_variants_of_tasks_among_the_tasks(folder: Path, width: int) -> None:
    console = Console(file=io.StringIO(), width=width)
    print_comparison(compare(folder), console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "(causal)" in words
    assert "(ema)" in words
    assert "99.00" in words


@pytest.mark.parametrize("metric", ["causal/eval/nll", "ema/eval/nll"])
def test_a_variant_that_was_the_objective_chooses_the_winner_and_is_the_endpoint(log: Any, metric: str) -> None:
    log.open(objective={"metric": metric, "mode": "min"}, parameters={"sleep.folds": {}})
    variant = metric.partition("/")[0]
    for seed in (1, 2, 3):
        for arm, role, value in (("epochs", "baseline", 3.0), ("t0001", "finalist", 2.0), ("t0002", "finalist", 1.0)):
            noise = seed * (0.01 if role == "finalist" else 0.02)
            named = {metric: value + noise, f"{variant}/test/nll": value + noise}
            log.run(arm, seed, 4 - value, 0.8, role=role, parameters={"sleep.folds": 5}, metrics=named)
    for seed in (1, 2, 3):
        run = log.folder / "trials" / f"t0002-s{seed}"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text("sleep: {folds: 5}\n")
    winner = find_winner(log.folder)
    assert winner.arm == "t0002"
    assert winner.model == winner.run / ("model-ema" if variant == "ema" else "model")
    comparison = compare(log.folder)
    assert comparison.endpoints[0] == f"{variant}/test/nll"
    assert "t0002 is better" in comparison.verdict
    assert f"test nll ({variant})" in comparison.verdict


def test_answers_of_a_variant_belong_to_its_endpoint(tmp_path: Path) -> None:
    rows = [
        {"task": task, "uid": "a", "id": str(number), "correct": 1.0, "text": "x"}
        for task in ("comps", "causal/comps", "pairs", "causal/pairs")
        for number in range(2)
    ]
    (tmp_path / "eval").mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / "eval" / "items.parquet")
    answers = read_answers(tmp_path)
    assert {key: float(scores.mean()) for key, scores in answers.items()} == {
        **{"babylm/comps": 100.0, "causal/babylm/comps": 100.0},
        **{"test/pairs_accuracy": 1.0, "causal/test/pairs_accuracy": 1.0},
    }
