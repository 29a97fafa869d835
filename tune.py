"""Search sleep settings on Ray: `python tune.py search_spaces/replay.yaml data=text data.path=DIR`.

Tiny, on a laptop: `python tune.py search_spaces/demo.yaml`. To resume a search that was stopped or killed, or to print
the comparison of one that has ended, run the same command again.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # this clone's package, whichever is installed
    from sleep_tune import cli
    from sleep_tune.commands.search import main

    sys.exit(cli.run(main, sys.argv[1:]))
