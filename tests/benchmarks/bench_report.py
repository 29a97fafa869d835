"""Seconds and bytes of the tables and the report of a search of 2,000 trials: on the clock, and of the processor.

The two differ where others use the machine too.
"""

import os
import platform
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from sleep_tune.results.report.page import write_report
from sleep_tune.results.table_files import write_tables
from tests.results.report.searches import make_search

TRIALS, SEEDS, PARADIGMS = 2000, 5, 67


def main() -> None:
    """Make the folder, then time what a user waits for."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "replay"
        make_search(folder, TRIALS, seeds=SEEDS, paradigms=[f"paradigm_{number}" for number in range(PARADIGMS)])
        size = (folder / "trials.jsonl").stat().st_size / 1e6
        print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}, ", end="")
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"{TRIALS:,} search trials, 3 arms x {SEEDS} seeds x {PARADIGMS} paradigms, a log of {size:.1f} MB")
        times = [(time.perf_counter(), time.process_time())]
        comparison = write_tables(folder)
        times.append((time.perf_counter(), time.process_time()))
        page = write_report(folder, comparison)
        times.append((time.perf_counter(), time.process_time()))
        for what, first, last in (("tables", 0, 1), ("report", 1, 2), ("both", 0, 2)):
            seconds, busy = (times[last][at] - times[first][at] for at in (0, 1))
            print(f"{what:6}  {seconds:6.2f} s, {busy:6.2f} s of the processor")
        print(f"{page.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
