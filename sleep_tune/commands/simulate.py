"""Compare search methods without training: `sleep-tune simulate replay`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from sleep_tune.installation import command

__all__ = ["main"]

VARIANTS = (
    "scheduler.name=none",
    "reduction=2",
    "reduction=4,first_rung=0.2",
    "first_rung=0.1",
    "within=null",
    "algorithm=random",
)
"""Default variants."""

DESCRIPTION = """\
Which search method finds better settings at the same cost? The sampler and scheduler of a search run with a virtual
clock, on analytic or recorded learning curves instead of training, so days take seconds. Each method is a variant of
SPACE. The table gives its regret: the distance of its result to the best possible one.

  {simulate} search_spaces/replay.yaml
  {simulate} search_spaces/replay.yaml reduction=2 reduction=4,first_rung=0.2 --seeds 50
  {simulate} search_spaces/replay.yaml within=null --curves one_pass --slots 8
  {simulate} search_spaces/replay.yaml --curves results/replay        # of your own experiment
"""

EPILOG = """\
curves:
  parallel     power laws that never cross, over the parameters of SPACE
  crossing     power laws that cross, since some settings learn faster than others
  tangled      power laws that cross so much that early and final ranks are little correlated
  one_pass     like crossing, but runs of few passes start worse, because they have read less text, and end better
  recorded/*   runs of tiny models: {recorded}
               (replay: on the toy language; text: on children's books)
  a path       a file made by tests/benchmarks/record_curves.py, or the folder of your own experiment

The first row of each table is the method of SPACE. Differences are from it, paired over seeds. Recorded curves have
their own parameters, not those of SPACE. Your own curves may be different: compare the table of Kendall's tau with
the one that `{search} SPACE --status` shows for your search.
"""


def main(arguments: Sequence[str]) -> int:
    """Parse the arguments, run the comparison, print it."""
    options = _parser().parse_intermixed_args(arguments)
    from rich.progress import Progress

    from sleep_tune.console import PlainConsole
    from sleep_tune.search.space.base import compose_base
    from sleep_tune.simulation.comparison_table import print_report, write_csv
    from sleep_tune.simulation.curves import read_source
    from sleep_tune.simulation.method_comparison import MethodComparison, run_comparison, summarise
    from sleep_tune.simulation.methods import read_methods
    from sleep_tune.simulation.simulated_search import Setup

    methods = read_methods(options.space, options.variants or VARIANTS, slots=options.slots, every=options.every)
    study = methods[0].space
    setup = Setup(compose_base(study), runs=options.runs, start_share=options.start)
    sources = [read_source(name, study.parameters) for name in options.curves]
    comparison = MethodComparison(tuple(methods), tuple(sources), tuple(range(options.seeds)), setup)
    with Progress(console=PlainConsole(stderr=True), transient=True) as progress:
        task = progress.add_task("searching", total=len(methods) * len(sources) * options.seeds)
        found, agreements = run_comparison(
            comparison, processes=options.processes, advance=lambda searches: progress.advance(task, searches)
        )
    console = PlainConsole()
    print_report(summarise(found, len(setup.marks)), agreements, setup, console)
    for source in sources:
        for note in source.landscape(0).notes:
            console.print(f"{source.name}: {note}")
    if options.csv is not None:
        write_csv(options.csv, found, setup)
    return 0


def _parser() -> argparse.ArgumentParser:
    from sleep_tune.simulation.curves import source_names

    recorded = ", ".join(name for name in source_names() if "/" in name)
    parser = argparse.ArgumentParser(
        prog=command("simulate"),
        description=DESCRIPTION.format(simulate=command("simulate")),
        epilog=EPILOG.format(recorded=recorded, search=command("search")),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("space", type=Path, metavar="SPACE", help="a search space, as for a search")
    parser.add_argument(
        "variants",
        nargs="*",
        metavar="VARIANT",
        help="key=value of reduction, first_rung, within, scheduler.name, algorithm, startup or slots; several, joined "
        "by commas, are one variant "
        f"(default: {' '.join(VARIANTS)})",
    )
    add = parser.add_argument
    add(
        "--curves",
        nargs="+",
        metavar="NAME",
        default=["crossing"],
        help="learning curves, see below (default: crossing)",
    )
    add("--every", metavar="VARIANT", help="a variant that is applied to all methods, also to that of the first row")
    add("--seeds", type=_whole, metavar="N", default=20, help="number of simulated searches per variant (default: 20)")
    add("--runs", type=_positive, metavar="R", default=24.0, help="budget of a search, in complete runs (default: 24)")
    add("--slots", type=_whole, metavar="N", default=1, help="number of trials at a time (default: 1)")
    add(
        "--start",
        type=_share,
        metavar="S",
        default=0.01,
        help="time to start a trial, as a share of a complete run (default: 0.01)",
    )
    add("--processes", type=_whole, metavar="N", default=1, help="number of processes that simulate (default: 1)")
    add("--csv", type=Path, metavar="FILE", help="also write a CSV file with one line per search")
    return parser


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {text!r}")
    return int(text)


def _positive(text: str) -> float:
    value = _number(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f"must be a number > 0; got {text!r}")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 10:
        raise argparse.ArgumentTypeError(f"must be a number in [0, 10]; got {text!r}")
    return value


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number; got {text!r}") from None
