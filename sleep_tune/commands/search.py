"""Search sleep settings on Ray: `sleep-tune search replay data=text data.path=DIR` (in a clone: `python tune.py ...`).

Tiny, on a laptop: `sleep-tune search demo`. To resume a search that was stopped or killed, or to print
the comparison of one that has ended, run the same command again.
"""

import argparse
import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sleep_tune import cli
from sleep_tune.commands.flags import FlagParser
from sleep_tune.installation import command
from sleep_tune.interrupts import current
from sleep_tune.names import LAUNCHERS
from sleep_tune.search.space.foreign_spaces import find_space_key

if TYPE_CHECKING:
    from sleep_tune.search.plan.plan_record import Plan

FLAGS = {
    "output_dir": "write --dir {}",
    "default_root_dir": "write --dir {}",
    "storage_path": "write --dir {}",
    "dry_run": "write --plan",
    "name": "write name={}",
}
"""Flags of other tools, as Python writes them -> their hints."""

ARGUMENTS = """\
SPACE [override ...] [--plan [--calibrate] [--from DIR] | --status]
       [--address A] [--launcher L] [--dir DIR]"""


def main(arguments: Sequence[str]) -> int:
    """Parse, then describe, plan, or search and compare."""
    options = parse(arguments)
    if options.help:
        print(help_text())
        return 0
    if options.status:
        show_status(options)
        return 0
    from sleep_tune.search.run.launch import Interrupted, PreparedSearch

    current().farewell = f"nothing is lost. To resume: {command('search')} {shlex.join(arguments)}"
    with cli.echo_log("sleep_tune.data"):
        study = PreparedSearch.read(options.space, options.overrides, options.dir)
    if options.plan:
        if options.calibrate:
            cli.say("measuring this machine's speed: half a minute of training, which is not kept")
        plan = study.plan(
            launcher=options.launcher,
            address=options.address,
            calibrated=options.calibrate,
            earlier=options.earlier,
        )
        show_plan(plan)
        return 0
    from sleep_tune.results.look_judge import judge_look

    try:
        study.run(launcher=options.launcher, address=options.address, judge=partial(judge_look, study.folder))
    except Interrupted as signal:
        return signal.exit_code
    show_comparison(study.folder)
    return 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the search space, the overrides and the flags, which may come in any order."""
    parser = FlagParser(command("search"), FLAGS, find_space_key, _is_key)
    parser.add_argument("-h", "--help", action="store_true")
    parser.add_argument("--plan", action="store_true")
    parser.add_argument("--calibrate", action="store_true")
    parser.add_argument("--from", type=Path, dest="earlier", metavar="DIR")
    parser.add_argument("--status", action="store_true")
    parser.add_argument("--address")
    parser.add_argument("--launcher", choices=LAUNCHERS, default="ray")
    parser.add_argument("--dir", type=Path, default=Path("results"))
    parser.add_argument("space", nargs="?", type=Path)
    parser.add_argument("overrides", nargs="*")
    parser.usage = f"{command('search')} {ARGUMENTS}"
    options = parser.parse_line(arguments)
    if options.space is None and not options.help:
        parser.error("a search space is needed, such as search_spaces/demo.yaml (see --help)")
    if options.plan and options.status:
        parser.error("--plan and --status are two commands: write one of them")
    if options.calibrate and not options.plan:
        parser.error("--calibrate measures for a plan: write --plan --calibrate")
    if options.earlier is not None and not options.plan:
        parser.error(f"--from is for a plan: write --plan --from {options.earlier}")
    return options


def _is_key(key: str) -> bool:
    from sleep_tune.config.options import options
    from sleep_tune.search.space.space_help import space_keys

    return key in options() or key in space_keys()


def help_text() -> str:
    """Return the usage and every option of a search space, from its dataclasses."""
    from sleep_tune.search.space.space_help import describe_space

    search = command("search")
    return f"""\
usage: {search} {ARGUMENTS}

Search the settings of sleep that give the best model at a fixed budget of words. Train the baselines with the same
budget. Then train the best settings and the baselines again with fresh seeds, and compare them. Everything is written
to results/<name>. Run the same command again to resume a search that was stopped or killed, or to print the comparison
of one that has ended.

  {search} search_spaces/demo.yaml                                        a few minutes on two cores
  {search} search_spaces/demo.yaml name=mine data=text data.path=DIR      the same on your own text
  {search} search_spaces/replay.yaml data=text data.path=DIR --plan       what would run, without running it
  {search} search_spaces/replay.yaml --address auto                       on the Ray cluster of this machine

  SPACE           the search space: a YAML file, as described below
  override        key=value. A key that begins with a section below (or name) changes the search space. Any other key,
                  such as data=text or training.learning_rate=1e-3, sets an option of all runs: see
                  {command("train")} --help. A group, such as data=text, drops the options data.* of the file's base
  --plan          print what would run (trials at each rung, passes, slots, words, hours, disk), and start nothing. The
                  hours are estimated from earlier experiments in DIR with a similar model, batch and device
  --calibrate     with --plan: train for half a minute here and estimate the hours from that (kept in DIR/.speeds.jsonl)
  --from DIR      with --plan: folder of an earlier experiment with such a model and budget. Its scatter over seeds
                  says how large a difference this search can find
  --status        show the state of the search, from any shell and at any time, and start nothing; SPACE may be the
                  experiment's name or folder
  --address A     join a Ray cluster: auto, or host:port. Without it the search starts its own Ray on this machine, and
                  stops it at the end. A cluster needs its dashboard (pip install 'ray[default]')
  --launcher L    ray: as many trials at a time as fit on the machine or cluster (default). inline: one trial at a time
                  in this process, without Ray, for debugging
  --dir DIR       folder of all experiments (default: results)
  --help          print this text

All mistakes in a space are reported together, with line numbers.
Ctrl-C or SIGTERM saves everything and stops; a second Ctrl-C stops at once. The output of Ray and of the trials is in
results/<name>/logs.
Exit code: 0 done, 2 a mistake in the arguments or files, 130 stopped by Ctrl-C, 143 by SIGTERM.

{describe_space()}"""


def show_status(options: argparse.Namespace) -> None:
    """Show the state of a search that is running or has ended."""
    from sleep_tune.console import PlainConsole
    from sleep_tune.search.monitor.status import show_status

    show_status(options.space, options.overrides, options.dir, PlainConsole())


def show_plan(plan: "Plan") -> None:
    """Print what would run."""
    from sleep_tune.console import PlainConsole
    from sleep_tune.search.plan.plan_view import show_plan

    show_plan(plan, PlainConsole(highlight=False))


def show_comparison(folder: Path) -> None:
    """Write the experiment's tables and report, and print the table that answers the question."""
    from sleep_tune.console import PlainConsole
    from sleep_tune.output_redirection import terminal
    from sleep_tune.results.report.page import write_report
    from sleep_tune.results.table_files import write_tables
    from sleep_tune.results.terminal import print_comparison

    comparison = write_tables(folder)
    with terminal() as file:  # it may have been closed since the search began
        print_comparison(comparison, PlainConsole(file=file), lambda: f"More: {write_report(folder, comparison)}")
