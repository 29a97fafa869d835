"""Write an experiment's report.html: `python analysis/report.py results/replay`.

One file that opens offline: the answer, the table, learning curves, the search, what was replayed, failures. tune.py
writes it at the end of every search; here it is made of a search that is still running, or again.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sleep_tune import cli


def main(arguments: Sequence[str]) -> int:
    """Parse and write."""
    parser = argparse.ArgumentParser(prog="report.py", description="Write FOLDER/report.html.", allow_abbrev=False)
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="an experiment, such as results/demo")
    options = parser.parse_args(arguments)
    from sleep_tune.results.report.building import write_report

    for folder in options.folders:
        print(write_report(folder))
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main, sys.argv[1:]))
