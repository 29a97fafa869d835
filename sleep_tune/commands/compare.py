"""Compare arms with a baseline: `sleep-tune compare results/replay [results/other ...] [NAME=reports ...]`.

Prints the first experiment's table, with the arms of all other folders in it, and writes it to tables/ in the
experiment's folder. An experiment that is still running gives a partial table.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sleep_tune.babylm.protocols import ABSENT, PROTOCOLS
from sleep_tune.installation import command
from sleep_tune.names import MATCHED

EPILOG = """\
A FOLDER is an experiment (the folder of a search), or the official scores (best_temperature_report.txt) of a model
trained elsewhere.
NAME=FOLDER gives the name of its arm. Several folders with the same NAME are its seeds, in the order given.

  {compare} results/replay                              one experiment
  {compare} results/replay results/other                its arms, and those of another experiment
  {compare} results/replay ours=outputs/my_model        and a model trained elsewhere
  {compare} base=out/a1 base=out/a2 sleep=out/b1 sleep=out/b2 --output tables
  {compare} results/replay --published babylm2026       and BabyLM's published baselines
"""


def main(arguments: Sequence[str]) -> int:
    """Compare the folders; print and write the table."""
    parser = argparse.ArgumentParser(
        prog=command("compare"),
        description="Compare arms (the rows of the table) with a baseline: the reference of an\n"
        "experiment (comparison.reference, by default `epochs`), or else the first arm. Print the table\n"
        "and write it to tables/ in the experiment's folder.",
        epilog=EPILOG.format(compare=command("compare")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "folders", metavar="FOLDER", nargs="+", help="an experiment, or [NAME=]folder of official scores, see below"
    )
    parser.add_argument(
        "--published",
        metavar="NAME|CSV",
        action="append",
        default=[],
        type=Path,
        help="published scores to show beside the arms: a CSV file, or one of the tables babylm2026,\n"
        "babylm2025_strict, babylm2025_strict_small, climb_sleep_fast",
    )
    parser.add_argument(
        "--protocol",
        choices=tuple(PROTOCOLS),
        help="year of official or published scores that do not show it by their tasks (official scores\n"
        f"without it are refused; published ones are of {ABSENT})",
    )
    parser.add_argument("--baseline", metavar="ARM", help="arm that all others are compared with (default: see above)")
    parser.add_argument(
        "--matched",
        choices=MATCHED,
        help="the resource that must be the same for all arms (default: comparison.matched of the study, or words)",
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, help="folder for the tables (default: tables/ in the experiment)"
    )
    options = parser.parse_args(arguments)
    from sleep_tune.files import require_writable
    from sleep_tune.results.folder_comparison import compare_folders
    from sleep_tune.results.table_files import FOLDER, write_comparison
    from sleep_tune.results.terminal import print_comparison

    comparison, experiment = compare_folders(
        options.folders, options.published, baseline=options.baseline, matched=options.matched, year=options.protocol
    )
    folder = options.output or (experiment / FOLDER if experiment else None)
    if folder is not None:
        require_writable(folder, "name another with --output DIR")

    def write(folder: Path) -> str:
        written = write_comparison(comparison, folder, experiment=experiment)
        return f"{folder}: {', '.join(path.name for path in written)}"

    print_comparison(comparison, write=None if folder is None else partial(write, folder))
    return 0
