"""Odd folders: each gives a table, every document and true sentences, or one clear error."""

import io
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from sleep_tune.errors import UserError
from sleep_tune.results.comparison import compare
from sleep_tune.results.markup import DOCUMENTS
from sleep_tune.results.table_files import write_comparison
from sleep_tune.results.terminal import print_comparison
from sleep_tune.results.winner import find_winner
from tests.results.conftest import SyntheticLog

Log = SyntheticLog
SEEDS = (1, 2, 3)


def both(log: Log, **finalist: float) -> None:
    """Both arms over the same seeds; `finalist` overrides the last run's metrics (test_nll=...)."""
    for seed in SEEDS:
        log.run("epochs", seed, 2.0 + seed / 100, 0.8)
        more = {key.replace("_", "/", 1): value for key, value in finalist.items()} if seed == SEEDS[-1] else {}
        log.run("t0001", seed, 1.9 + seed / 90, 0.8, role="finalist", metrics=more)


def failed_only(log: Log) -> None:
    for arm, role, reason in (("epochs", "baseline", " \n"), ("t0001", "finalist", "out of memory.\ntrace")):
        log.ask(f"{arm}-s1", role=role, arm=arm, seed=1)
        log.event("failed", f"{arm}-s1", 1, reason=reason, kind="out_of_memory", log=None)


def running_only(log: Log) -> None:
    log.ask("t0001")
    log.ask("epochs-s1", role="baseline", arm="epochs", seed=1)


def half_a_line(log: Log) -> None:
    both(log)
    with log.path.open("a") as file:
        file.write('{"schema":1,"event":"asked","ti')


def equal_values(log: Log) -> None:
    for seed in (1, 2):
        log.run("epochs", seed, 2.0, 0.8)
        log.run("t0001", seed, 1.9, 0.9, role="finalist")


def no_number_in_any_baseline(log: Log) -> None:
    for seed in SEEDS:
        log.run("epochs", seed, 2.0, 0.8, metrics={"test/nll": math.nan})
        log.run("t0001", seed, 1.9, 0.8, role="finalist")


def nothing_completed_in_one_arm(log: Log) -> None:
    both(log)
    log.ask("t0002-s1", role="finalist", arm="t0002", seed=1)


def baseline_missing(log: Log) -> None:
    for seed in SEEDS:
        log.run("as_epochs", seed, 2.0 + seed / 100, 0.8)
        log.run("t0001", seed, 1.9, 0.8, role="finalist")


def one_seed_in_common(log: Log) -> None:
    for seed in SEEDS:
        log.run("epochs", seed, 2.0 + seed / 100, 0.8)
        log.run("t0001", seed + 2, 1.9, 0.8, role="finalist")
        log.run("t0002", seed + 20, 1.9, 0.8, role="finalist")


def one_trial(log: Log) -> None:
    log.ask("t0001", parameters={"sleep.folds": 5})
    log.complete("t0001", {"eval/nll": 2.0, "eval/pseudo_perplexity": math.inf})


def torn_records(log: Log) -> None:
    both(log)
    run = log.folder / "trials" / "t0001-s1"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text("sleep: [")
    (run / "environment.json").write_text('{"commit"')
    (run / "metrics.jsonl").write_bytes(b'{"kind":"sleep","expo\xff')


FOLDERS: dict[str, tuple[Callable[[Log], None], tuple[str, ...]]] = {
    "nothing but its first line": (lambda log: None, ("No verdict yet: no run of the baseline epochs has been",)),
    "failed only": (
        failed_only,
        ("Missing: epochs, seed 1, failed: no reason given.", "Missing: t0001, seed 1, failed: out of memory."),
    ),
    "running only": (running_only, ("Not finished: epochs, seed 1.", "a search of 1 trial (1 running)")),
    "half a line": (half_a_line, ("Sleep beats epochs",)),
    "equal values": (equal_values, ("No significant difference", "Holm p = 1, 2 seeds")),
    "a value that is none": (
        lambda log: both(log, test_nll=math.nan),
        ("Diverged: t0001, seed 3: it ended without a finite test nll.", "t0001 diverged at 1 of 3 seeds"),
    ),
    "no value in any baseline": (
        no_number_in_any_baseline,
        (
            "Diverged: epochs, seed 1, 2, 3: it ended without a finite test nll.",
            "No verdict: no run of the baseline epochs has been completed. epochs diverged at 3 of 3 seeds",
        ),
    ),
    "nothing completed in one arm": (nothing_completed_in_one_arm, ("Not finished: t0002, seed 1.", "Sleep beats")),
    "the baseline missing": (baseline_missing, ("No verdict yet: no run of the baseline epochs has been completed.",)),
    "one seed in common": (
        one_seed_in_common,
        (
            "Warning: t0001 shares only 1 of its 3 seeds with epochs",
            "Not compared: t0002 shares no seed with epochs",
            "One seed in common",
        ),
    ),
    "a task that one run alone measured": (lambda log: both(log, babylm_blimp_fast=60.0), ("Sleep beats epochs",)),
    "a single trial": (one_trial, ("a search of 1 trial (1 completed)", "No verdict yet")),
    "torn records of a run": (torn_records, ("Sleep beats epochs",)),
    "huge and tiny numbers": (lambda log: both(log, test_pseudo_perplexity=1e300, test_nll=1e-12), ("test nll",)),
}
"""What is odd -> what makes the folder, and what its table says."""


@pytest.mark.parametrize("name", FOLDERS)
def test_a_table_and_every_document_say_what_is_true(log: Log, name: str) -> None:
    make, parts = FOLDERS[name]
    log.open()
    make(log)
    comparison = compare(log.folder)
    console = Console(file=io.StringIO(), width=100)
    print_comparison(comparison, console)
    written = write_comparison(comparison, log.folder / "tables", experiment=log.folder)
    assert len(written) == 4 + len(DOCUMENTS)
    text = "\n".join([*comparison.notes, comparison.verdict])
    for part in parts:
        assert part in text
    assert "nan" not in text
    assert " 1 seeds" not in text
    assert isinstance(console.file, io.StringIO)
    assert "nan" not in console.file.getvalue()


def line(text: str) -> Callable[[Log], None]:
    """A folder with one more line in its log, and an event after it."""

    def make(log: Log) -> None:
        with log.path.open("a") as file:
            file.write(text + "\n")
        log.ask("t0009")

    return make


def described(text: str) -> Callable[[Log], None]:
    def make(log: Log) -> None:
        (log.folder / "experiment.yaml").write_text(text)

    return make


MISTAKES: dict[str, tuple[Callable[[Log], None], str]] = {
    "half a line that is not the last": (line('{"event":"as'), r"trials\.jsonl:2 "),
    "another program's line": (line('{"evnt":"asked"}'), r"trials\.jsonl:2 "),
    "a description with words for numbers": (
        described("space: {baselines: {epochs: {trials: many}}}"),
        r"experiment\.yaml .*'many'",
    ),
}
"""What is wrong -> what makes the folder, and the error."""


@pytest.mark.parametrize("name", MISTAKES)
def test_what_cannot_be_read_is_one_error_with_its_place(log: Log, name: str) -> None:
    make, message = MISTAKES[name]
    log.open()
    make(log)
    with pytest.raises(UserError, match=message):
        compare(log.folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "config.yaml .*YAML"),
        ("a: " + "[" * 5000, "config.yaml .*YAML: .*recursion"),
        ("training: {}", "config.yaml .*section sleep"),
    ],
)
def test_a_winner_whose_configuration_is_damaged_is_reported(log: Log, text: str, message: str) -> None:
    log.open()
    log.ask("t0001")
    log.complete("t0001", {"eval/nll": 1.0})
    run = log.folder / "trials" / "t0001"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        find_winner(log.folder)


def test_a_run_that_diverged_is_no_winner(log: Log, tmp_path: Path) -> None:
    log.open()
    for trial, value in (("t0001", math.nan), ("t0002", math.inf), ("t0003", 3.0)):
        log.ask(trial)
        log.complete(trial, {"eval/nll": value})
        run = log.folder / "trials" / trial
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump({"sleep": {"folds": 2}}))
    assert find_winner(log.folder).arm == "t0003"
