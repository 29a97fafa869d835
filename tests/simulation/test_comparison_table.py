import csv
import dataclasses
import io
from pathlib import Path

from rich.console import Console

from sleep_tune.config.schema import RunConfig
from sleep_tune.simulation.comparison_table import print_report, write_csv
from sleep_tune.simulation.method_comparison import Interval, summarise
from sleep_tune.simulation.rank_agreement import RankAgreement
from sleep_tune.simulation.simulated_search import SearchResult, Setup

SETUP = Setup(RunConfig(), runs=4.0)
FOUND = [
    SearchResult(
        curves="crossing",
        method=arm,
        seed=seed,
        regrets=(0.3, 0.2, 0.1 + 0.01 * seed + better),
        finalist=0.1,
        trials=8,
        completed=4,
        stopped=3,
        missed=0.0,
        lost=seed == 0,
        hours=8.0,
        idle=0.125,
    )
    for arm, better in (("as it is", 0.0), ("reduction=2", -0.05))
    for seed in (0, 1)
]


def printed(width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    foretold = {"crossing": [RankAgreement(1 / 3, 0.5, 0.25), RankAgreement(1.0, 0.9, None)]}
    print_report(summarise(FOUND, 3), foretold, SETUP, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_table_has_regrets_differences_and_lost_trials() -> None:
    text = printed()
    assert "crossing: regret at equal cost, 2 seeds" in text
    reference, variant = (
        next(line for line in text.splitlines() if line.strip().startswith(name)) for name in ("as", "red")
    )
    assert "300 ± 0.0" in reference
    assert "105 ± 64" in reference
    assert "-50 ± 0.0*" in variant
    assert "50%" in variant
    assert "0.50 (0.25)" in text
    assert "0.90" in text


def test_it_fits_a_narrow_terminal() -> None:
    assert max(map(len, printed(width=80).splitlines())) <= 80


def test_the_csv_has_a_line_for_each_search(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "x.csv")
    for name in ("x.csv", "link.csv"):
        write_csv(tmp_path / name, FOUND[: None if name == "link.csv" else 1], SETUP)
    assert (tmp_path / "link.csv").is_symlink(), "the user named it"
    rows = list(csv.DictReader((tmp_path / "x.csv").read_text().splitlines()))
    assert len(rows) == len(FOUND)
    assert rows[3]["arm"] == "reduction=2"
    assert float(rows[3]["regret_100%"]) == round(FOUND[3].regrets[2], 6)
    assert rows[0]["lost"] == "1"


def test_one_seed_has_no_interval() -> None:
    row = summarise([dataclasses.replace(FOUND[0])], 3)[0]
    assert row.regrets[0] == Interval(0.3, float("inf"))
