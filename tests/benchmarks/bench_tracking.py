"""Seconds that a tracker adds to a run: opened, given a hundred lines, finished; one run after another as in a slot.

    python tests/benchmarks/bench_tracking.py --runs 20

Offline. "listing packages" is Weights & Biases with the package's own settings. The first round pays for imports and
for the service, and is left out. Then what stays: threads and processes of the process that tracked them all.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from sleep_tune.config.load import compose
from sleep_tune.training import weights_and_biases
from sleep_tune.training.tracking import tracking_run

KINDS = {
    "tensorboard": "tracking=tensorboard",
    "wandb": "tracking.wandb=offline",
    "wandb, listing packages": "tracking.wandb=offline",
}
"""Kind -> override."""

OURS = weights_and_biases.SETTINGS


def timed(folder: Path, kind: str) -> float:
    """Seconds of one run."""
    weights_and_biases.SETTINGS = {**OURS, "x_save_requirements": "listing" in kind}
    folder.mkdir()
    (folder / "metrics.jsonl").touch()
    config = compose([KINDS[kind]])
    config.run.dir = str(folder)
    start = time.perf_counter()
    with tracking_run(config, is_leader=True) as trackers:
        for number in range(100):
            line = {"kind": "train", "words_seen": 100 * number, "loss": 3.0, "loss/wake": 3.0, "seconds": 1.0}
            trackers(number, line)
        trackers.state = "completed"
    return time.perf_counter() - start


def main(arguments: Sequence[str]) -> int:
    """Time all kinds, and look at what stays."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20, help="of each kind")
    given = parser.parse_args(arguments)
    me = psutil.Process()
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as name:
        for number in range(given.runs + 1):
            for kind in KINDS:
                seconds[kind].append(timed(Path(name) / f"{kind}-{number}", kind))
            if number in (1, given.runs):
                children = [child.name() for child in me.children(recursive=True)]
                told = f"{me.memory_info().rss / 2**20:,.0f} MB, {me.num_threads()} threads, processes {children}"
                print(f"after {number} runs of each kind: {told}")
    for kind, measured in seconds.items():
        print(f"{kind:24} median {statistics.median(measured[1:]):.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
