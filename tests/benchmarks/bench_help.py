"""Wall time of `--help`: ours against the smallest script that `@hydra.main` can make, in one run.

Run: python tests/benchmarks/bench_help.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPEATS = 15
GOAL_SECONDS = 0.6

PEER = """
import hydra


@hydra.main(version_base="1.3", config_path=None)
def main(config):
    pass


main()
"""


def seconds(script: Path) -> float:
    """Wall time of one `python script --help`, start of the interpreter included."""
    start = time.perf_counter()
    subprocess.run([sys.executable, str(script), "--help"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Time the scripts in turn, so that what else the machine does hits all of them; print medians and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        peer = Path(folder) / "peer.py"
        peer.write_text(PEER)
        scripts = {"bare hydra.main": peer} | {name: ROOT / name for name in ("train_worker.py", "tune.py")}
        scripts = {name: script for name, script in scripts.items() if script.exists()}
        times: dict[str, list[float]] = {name: [] for name in scripts}
        for script in scripts.values():
            seconds(script)  # compiled files and the disk's cache
        for _ in range(REPEATS):
            for name, script in scripts.items():
                times[name].append(seconds(script))
    base = statistics.median(times["bare hydra.main"])
    print(f"--help, median of {REPEATS} interleaved runs, {os.cpu_count()} cores, Python {sys.version.split()[0]}")
    print(f"{'script':18}{'seconds':>9}{'slowest':>9}{'ratio':>7}")
    for name, taken in times.items():
        median = statistics.median(taken)
        print(f"{name:18}{median:9.3f}{max(taken):9.3f}{median / base:7.2f}")
    print(f"goal: below {GOAL_SECONDS} s")


if __name__ == "__main__":
    main()
