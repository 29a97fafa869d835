"""Write an experiment's report.html: `python analysis/report.py results/replay`.

The report is one file that opens offline: the answer, the table of arms, learning curves, the search, what was
replayed, failures. tune.py writes it at the end of a search. This script writes it again, or while the search runs.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone's package, whichever is installed
    from sleep_tune import cli
    from sleep_tune.commands.report import main

    sys.exit(cli.run(main, sys.argv[1:]))
