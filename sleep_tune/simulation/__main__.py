"""Entry of the command `python -m sleep_tune.simulation search_spaces/replay.yaml`."""

import sys

if __name__ == "__main__":
    from sleep_tune import cli
    from sleep_tune.commands.simulate import main

    sys.exit(cli.run(main, sys.argv[1:]))
