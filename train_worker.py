"""Train one model: `python train_worker.py sleep=weighted data=toy training.seed=3`.

Tiny, on a laptop: `python train_worker.py run.name=tiny data.sentences=5000 budget.passes=4`. The study's model on
BabyLM: `python train_worker.py data=text data.path=DIR model=small training=gpu`. To resume a run that was stopped or
killed, or to print the results of one that has ended, run the same command again.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))  # this clone's package, whichever is installed
    from sleep_tune import cli
    from sleep_tune.commands.train import main

    sys.exit(cli.run(main, sys.argv[1:]))
