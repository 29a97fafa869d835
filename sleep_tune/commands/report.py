"""Write an experiment's report.html: `sleep-tune report results/replay`.

The report is one file that opens offline: the answer, the table of arms, learning curves, the search, what was
replayed, failures. A search writes it at its end. This command writes it again, or while the search runs.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sleep_tune.installation import command


def main(arguments: Sequence[str]) -> int:
    """Write the report of each folder."""
    parser = argparse.ArgumentParser(
        prog=command("report"),
        description="Write report.html of an experiment: verdict, table, curves, failures. It may be running.",
        allow_abbrev=False,
    )
    parser.add_argument("folders", metavar="FOLDER", nargs="+", type=Path, help="an experiment, such as results/demo")
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="folder where report.html is written (default: FOLDER)"
    )
    options = parser.parse_args(arguments)
    if options.output is not None and len(options.folders) > 1:
        parser.error("--output DIR takes one FOLDER, since every report has the same name")
    from sleep_tune.files import require_writable
    from sleep_tune.results.report.page import write_report

    for folder in options.folders:
        place = options.output or folder
        if place.exists() or options.output:
            require_writable(place, "name another with --output DIR")
        print(write_report(folder, place=place))
    return 0
