"""Files that a comparison leaves behind: what is written is what was compared."""

from pathlib import Path
from typing import Any

import pandas as pd

from sleep_tune.results.comparison import compare
from sleep_tune.results.markup import DOCUMENTS
from sleep_tune.results.table_files import tidy, write_tables


def fill(log: Any, seeds: int = 3) -> Path:
    """Two arms; one run of a third is still to come; a parameter that has values of two types."""
    log.open(parameters={"sleep.folds": {}, "sleep.length.ratio": {}})
    for seed in range(seeds):
        log.run("epochs", seed, 4.0 + seed / 100, 0.81)
        parameters = {"sleep.folds": 20, "sleep.length.ratio": 0.5 if seed else "none"}
        log.run("t0007", seed, 3.9 + seed / 90, 0.86, role="finalist", parameters=parameters)
    log.ask("t0009-s1", role="finalist", arm="t0009", seed=0)
    folder: Path = log.folder
    return folder


def test_tables_are_read_back_as_they_were(log: Any) -> None:
    folder = fill(log)
    comparison = write_tables(folder)
    tables = folder / "tables"
    names = ["csv", "html", "md", "parquet", "tex"]
    assert sorted(path.name for path in tables.iterdir()) == [
        *(f"comparison.{name}" for name in names),
        "trials.csv",
        "trials.parquet",
    ]
    whole = dict.fromkeys(("seeds", "shared_seeds", "items", "diverged", "looks"), "Int64")
    written = pd.read_csv(tables / "comparison.csv", dtype=whole).fillna({"parameters": ""})
    pd.testing.assert_frame_equal(written, tidy(comparison), check_dtype=False, rtol=1e-12)
    kept = pd.read_parquet(tables / "comparison.parquet")
    pd.testing.assert_frame_equal(kept, tidy(comparison), check_dtype=False)
    assert len(pd.read_csv(tables / "trials.csv")) == len(pd.read_parquet(tables / "trials.parquet")) == 7
    for suffix, document in DOCUMENTS.items():
        assert (tables / f"comparison.{suffix}").read_text() == document(comparison)


def test_no_heading_of_a_csv_is_a_formula(log: Any) -> None:
    """A column of the trials is named for its parameter, which a folder from elsewhere may name as it likes."""
    log.open()
    log.ask("t0001", parameters={"=cmd.x": 1})
    write_tables(log.folder)
    headings = (log.folder / "tables" / "trials.csv").read_text().splitlines()[0].split(",")
    assert "'=cmd.x" in headings
    assert "=cmd.x" not in headings
    assert "=cmd.x" in pd.read_parquet(log.folder / "tables" / "trials.parquet")


def test_the_long_table_has_every_arm_and_metric_and_what_was_tested(log: Any) -> None:
    comparison = compare(fill(log))
    table = tidy(comparison)
    assert len(table) == len(comparison.arms) * len(comparison.metrics)
    rows = {(row["arm"], row["metric"]): row for row in table.to_dict("records")}
    contrast = comparison.arms[1].contrasts["test/nll"]
    row = rows["t0007", "test/nll"]
    assert (row["difference"], row["error"]) == (contrast.difference.mean, contrast.difference.error)
    assert row["p_flip"] == contrast.p_flip == 0.25
    assert pd.isna(rows["epochs", "test/nll"]["difference"])
