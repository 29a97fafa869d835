"""Losses of different objectives or tokenizers: shown with a mark, explained, and left out of every claim."""

import doctest
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from sleep_tune.errors import DataError
from sleep_tune.results import comparable_losses
from sleep_tune.results.comparable_losses import OTHER_MEASURE, LossMeasure, measure_of
from sleep_tune.results.comparison import compare
from sleep_tune.results.folder_comparison import compare_folders
from sleep_tune.results.markup import as_markdown
from sleep_tune.results.winner import find_winner
from tests.results.conftest import SyntheticLog, has_note

BPE = {"kind": "bpe", "vocab_size": 8192, "name": None}
SEEDS = (1, 2, 3, 4, 5)


def experiment(folder: Path, nll: float, objective: str | None = "mlm", arm: str = "t0001", **tokenizer: Any) -> Path:
    """Write a study with a baseline, a control and a finalist that is better by 0.5 nats and 5 points."""
    log = SyntheticLog(folder)
    log.open(name=folder.name)
    config: dict[str, Any] = {"tokenizer": BPE | tokenizer, "training": {"objective": objective} if objective else {}}
    for seed in SEEDS:
        for name, better in (("epochs", 0.0), ("as_epochs", 0.0), (arm, 0.5)):
            noise = seed * 0.01 + (0.001 * seed if name != "epochs" else 0)
            role = "finalist" if name == arm else "baseline"
            log.run(name, seed, nll - better + noise, 0.8 + better / 10 + noise / 100, role=role)
            run = folder / "trials" / f"{name}-s{seed}"
            run.mkdir(parents=True)
            (run / "config.yaml").write_text(yaml.safe_dump(config | {"sleep": {"folds": 5}}))
    return folder


def test_the_examples_of_the_docstrings_hold() -> None:
    assert doctest.testmod(comparable_losses).failed == 0


@pytest.mark.parametrize(
    ("config", "measure"),
    [
        ({}, None),
        ({"training.objective": "clm"}, None),
        ({"tokenizer.kind": "bpe", "tokenizer.vocab_size": 8192}, LossMeasure("mlm", "bpe 8,192")),
        (
            {"tokenizer.kind": "hub", "tokenizer.name": "/home/me/gpt2", "training.objective": "clm"},
            LossMeasure("clm", "hub gpt2"),
        ),
    ],
)
def test_what_a_loss_is_measured_by_is_read_from_the_configuration(config: dict[str, Any], measure: Any) -> None:
    assert measure_of(config) == measure


@pytest.mark.parametrize(
    ("other", "facts"),
    [
        ({"objective": "clm"}, ("objective clm", "objective mlm")),
        ({"objective": "hybrid"}, ("objective hybrid", "objective mlm")),
        ({"vocab_size": 16384}, ("bpe 16,384", "bpe 8,192")),
    ],
)
def test_losses_of_another_measure_are_marked_explained_and_left_out(
    tmp_path: Path, other: dict[str, Any], facts: tuple[str, ...]
) -> None:
    first, second = experiment(tmp_path / "first", 3.0), experiment(tmp_path / "second", 2.0, **other)
    comparison, _ = compare_folders([str(first), str(second)])
    arms = {arm.name: arm for arm in comparison.arms}
    assert set(arms["second/t0001"].contrasts) == {"test/pairs_accuracy"}
    assert set(arms["t0001"].contrasts) == {"test/nll", "test/pairs_accuracy"}
    assert has_note(comparison, "Not comparable", "second/t0001", "second/epochs", *facts, "test/pairs_accuracy")
    assert "t0001 is better" in comparison.verdict
    assert "second/t0001 is" not in comparison.verdict
    row = next(line for line in as_markdown(comparison).splitlines() if line.startswith("| second/t0001"))
    assert OTHER_MEASURE in row
    own = next(line for line in as_markdown(comparison).splitlines() if line.startswith("| t0001"))
    assert OTHER_MEASURE not in own


def test_where_no_loss_is_comparable_the_verdict_names_an_endpoint_that_is(tmp_path: Path) -> None:
    first, second = experiment(tmp_path / "first", 3.0), experiment(tmp_path / "second", 2.0, "clm")
    comparison, _ = compare_folders([str(first), str(second)])
    own = tuple(arm for arm in comparison.arms if arm.joined or arm.name == "epochs")
    verdict = comparable_losses.no_loss_verdict(replace(comparison, arms=own))
    assert verdict is not None
    for part in ("No verdict", "test nll", "second/t0001", "objective clm", "epochs", "test/pairs_accuracy"):
        assert part in verdict
    unpaired = tuple(replace(arm, contrasts={}) for arm in own)
    verdict = comparable_losses.no_loss_verdict(replace(comparison, arms=unpaired))
    assert verdict is not None
    assert "finalists.first_seed" in verdict


def test_runs_that_are_older_than_the_option_are_masked(tmp_path: Path) -> None:
    first, second = experiment(tmp_path / "first", 3.0, None), experiment(tmp_path / "second", 2.0)
    comparison, _ = compare_folders([str(first), str(second)])
    assert not has_note(comparison, "Not comparable")
    assert OTHER_MEASURE not in as_markdown(comparison)
    assert "second/t0001 is better" in comparison.verdict


def test_finalists_of_several_objectives_have_no_winner_by_loss(tmp_path: Path) -> None:
    log = SyntheticLog(tmp_path / "mixed")
    log.open(parameters={"training.objective": {}})
    for objective, nll in (("mlm", 2.0), ("clm", 3.0)):
        log.run(f"t-{objective}", 1, nll, 0.8, role="finalist", parameters={"training.objective": objective})
    with pytest.raises(DataError) as raised:
        find_winner(log.folder)
    for part in ("eval/nll", "training.objective", "clm, mlm", "eval/pairs_accuracy"):
        assert part in str(raised.value)


def test_a_setting_that_was_tuned_for_both_arms_is_no_warning(log: Any) -> None:
    log.open(parameters={"training.learning_rate": {}})
    for arm, role, rate in (
        ("epochs", "baseline", 0.001),
        ("t0001", "finalist", 0.002),
        ("as_epochs", "baseline", 0.1),
    ):
        for seed in SEEDS:
            tuned = {} if arm == "as_epochs" else {"training.learning_rate": rate}
            log.run(arm, seed, 2.0 + seed / 100, 0.8, role=role, parameters=tuned)
            run = log.folder / "trials" / f"{arm}-s{seed}"
            run.mkdir(parents=True)
            (run / "config.yaml").write_text(yaml.safe_dump({"training": {"learning_rate": rate, "warmup": 0.1}}))
    comparison = compare(log.folder)
    assert not has_note(comparison, "t0001 differs from epochs")
    assert has_note(comparison, "as_epochs differs from epochs", "learning_rate 0.1 instead of 0.001")
