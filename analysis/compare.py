"""Compare the arms of experiments: `python analysis/compare.py results/demo [results/other ...]`.

Prints each experiment's table, however far it has got, and writes it to tables/ in its folder: comparison.csv (one row
per arm and metric), comparison.md, and trials.csv (one row per trial).
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from sleep_tune import cli


def main(arguments: Sequence[str]) -> int:
    """Parse, compare, print, write."""
    parser = argparse.ArgumentParser(
        prog="compare.py",
        description="Compare the arms of experiments with the epoch baseline.",
        epilog="Files are written to FOLDER/tables: comparison.csv, comparison.md and trials.csv.",
        allow_abbrev=False,
    )
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="an experiment, such as results/demo")
    options = parser.parse_args(arguments)
    from sleep_tune.results.render import print_comparison, write_tables

    for number, folder in enumerate(options.folders):
        if number:
            print()
        print_comparison(write_tables(folder))
    return 0


if __name__ == "__main__":
    sys.exit(cli.run(main, sys.argv[1:]))
