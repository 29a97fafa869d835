"""Compare arms with a baseline: `python analysis/compare.py results/replay [results/other ...] [NAME=reports ...]`.

Prints the first experiment's table, with the arms of all other folders in it, and writes it to tables/ in the
experiment's folder. An experiment that is still running gives a partial table.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone's package, whichever is installed
    from sleep_tune import cli
    from sleep_tune.commands.compare import main

    sys.exit(cli.run(main, sys.argv[1:]))
