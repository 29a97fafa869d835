"""Entry of `sleep-tune COMMAND ...`, which is also `python -m sleep_tune COMMAND ...`."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import sleep_tune
from sleep_tune import cli
from sleep_tune.errors import ConfigError, unknown
from sleep_tune.installation import command

COMMANDS = {
    "demo": "search on a toy language: a few minutes on two cores",
    "train": "train one model",
    "search": "search the settings of sleep, train the best ones and the baselines again, and compare them",
    "compare": "compare the arms of experiments with a baseline",
    "report": "write an experiment's report",
    "export": "write the best settings of a search as a file, or publish the best model",
    "evaluate": "score a model on the tasks of the BabyLM challenge",
    "simulate": "compare search methods without training",
}
"""Name of a module in sleep_tune/commands -> what it does."""


def main(arguments: Sequence[str]) -> int:
    """Call the command that the first argument names, with the others."""
    if not arguments:
        cli.say(help_text())
        return cli.MISTAKE
    if arguments[0] in ("-h", "--help"):
        print(help_text())
        return 0
    if arguments[0] == "--version":
        print(sleep_tune.__version__)
        return 0
    if arguments[0] not in COMMANDS:
        raise ConfigError(unknown("command", arguments[0], COMMANDS))
    module: Any = importlib.import_module(f"sleep_tune.commands.{arguments[0]}")
    code: int = module.main(arguments[1:])
    return code


def help_text() -> str:
    """Return the usage and the list of the commands."""
    program = command("").strip()
    listed = "\n".join(f"  {name:<10}{purpose}" for name, purpose in COMMANDS.items())
    return f"""\
usage: {program} COMMAND ...

Find out whether, with which settings and by how much sleep beats epochs at the same budget of words.

{listed}

  --help     print this text; after a COMMAND, its arguments and options
  --version  print the version"""


def run() -> int:
    """Run the command line of this process, and return its exit code."""
    return cli.run(main, sys.argv[1:])


if __name__ == "__main__":
    sys.exit(run())
