"""Export the best settings of a search: `python analysis/export_best.py results/replay`.

Writes them to conf/sleep/<name>.yaml and prints the command of a full-scale run with them. With --push-to-hub
OWNER/NAME also uploads the best model, its tokenizer and a model card with the table to the Hugging Face Hub.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # this clone's package, whichever is installed
    from sleep_tune import cli
    from sleep_tune.commands.export import main

    sys.exit(cli.run(main, sys.argv[1:]))
