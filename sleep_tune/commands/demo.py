"""A whole search on a toy language, without an account or a download: `sleep-tune demo`."""

from collections.abc import Sequence

from sleep_tune.commands import search
from sleep_tune.installation import command

SPACE = "demo"


def main(arguments: Sequence[str]) -> int:
    """Print the help, or call the search on the demo's space with these arguments."""
    if {"-h", "--help"} & set(arguments):
        print(help_text())
        return 0
    return search.main([SPACE, *arguments])


def help_text() -> str:
    """Return the usage."""
    demo, whole = command("demo"), command("search")
    return f"""\
usage: {demo} [override ...] [--plan | --status] [--launcher L] [--dir DIR]

Search sleep settings on a toy language, in a few minutes on two cores; compare them with the baselines; write the
tables and the report to results/demo. Run the same command again to resume it.

It is `{whole} demo`. All overrides and options of a search can be given: see {whole} --help.

  {demo}
  {demo} name=mine data=text data.path=DIR      the same on your own text"""
