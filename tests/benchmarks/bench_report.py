"""Seconds and bytes of the tables and the report of a search of 2,000 trials."""

import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sleep_tune.results.report.building import write_report
from sleep_tune.results.writing import write_tables
from tests.results.report.searches import make_search

TRIALS, SEEDS = 2000, 5


def main() -> None:
    """Make the folder, then time what a user waits for."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "replay"
        make_search(folder, TRIALS, seeds=SEEDS)
        size = (folder / "trials.jsonl").stat().st_size / 1e6
        print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
        print(f"{TRIALS:,} search trials, 3 arms x {SEEDS} seeds, a log of {size:.1f} MB")
        begun = time.perf_counter()
        comparison = write_tables(folder)
        tables = time.perf_counter() - begun
        page = write_report(folder, comparison)
        report = time.perf_counter() - begun - tables
        print(f"tables  {tables:6.2f} s")
        print(f"report  {report:6.2f} s, {page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
