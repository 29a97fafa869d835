"""An experiment of an earlier version, with a fixed number of seeds, still gives its table to the digit.

`old_experiment/` holds what the version before planned looks wrote: the log, experiment.yaml and the answers to test
items of a small search with controls, and the tables that this version made of them. Its space has no
`comparison.reserve`. Numbers are compared up to rounding, since another processor adds up in another order.
"""

import io
import tarfile
from pathlib import Path

import pandas as pd
import pytest

from sleep_tune.results.arms import Comparison
from sleep_tune.results.comparison import compare
from sleep_tune.results.markup import as_markdown
from sleep_tune.results.table_files import tidy, tidy_gains

THEN = Path(__file__).parent / "old_experiment"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(THEN / "experiment.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return compare(folder)


@pytest.mark.parametrize(("name", "tabulate"), [("comparison", tidy), ("gain", tidy_gains)])
def test_every_number_is_as_it_was(comparison: Comparison, name: str, tabulate: object) -> None:
    assert callable(tabulate)
    then, now = pd.read_csv(THEN / f"{name}.csv"), pd.read_csv(io.StringIO(tabulate(comparison).to_csv(index=False)))
    now = now[now["metric"].isin(comparison.endpoints)].reset_index(drop=True)
    pd.testing.assert_frame_equal(now[list(then.columns)], then, check_dtype=False, rtol=1e-9, atol=1e-12)


def test_verdict_and_cells_are_as_they_were(comparison: Comparison) -> None:
    verdict, *rows = (THEN / "comparison.md").read_text(encoding="utf-8").splitlines()
    assert comparison.verdict == verdict.replace("\\", "")
    assert [line for line in as_markdown(comparison).splitlines() if line.startswith("|")] == rows
