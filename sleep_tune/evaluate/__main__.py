"""Entry of the command `python -m sleep_tune.evaluate MODEL --data evaluation_data/fast_eval`."""

import sys

if __name__ == "__main__":
    from sleep_tune import cli
    from sleep_tune.commands.evaluate import main

    sys.exit(cli.run(main, sys.argv[1:]))
