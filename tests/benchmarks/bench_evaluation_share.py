"""The share of a search's wall clock that its runs spend evaluating.

    python tests/benchmarks/bench_evaluation_share.py

A real search, that of search_spaces/demo.yaml with few trials: every run writes how long each of its evaluations took
(`took` of the `eval` lines in metrics.jsonl) and, in its outcome, how long it trained and evaluated together. Give a
folder of an experiment to read that one instead. Floor: under 10%.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHORT = ("name=share", "stop.trials=2", "finalists.count=1", "finalists.seeds=1", "baselines={}")


def search(folder: Path) -> Path:
    """Run the search, one run at a time and without Ray, and say where its experiment is."""
    space = ROOT / "search_spaces" / "demo.yaml"
    line = [sys.executable, str(ROOT / "tune.py"), str(space), *SHORT, "--launcher", "inline", "--dir", str(folder)]
    subprocess.run(line, check=True, stdout=subprocess.DEVNULL)
    return folder / "share"


def measure(run: Path) -> tuple[int, float, float]:
    """(evaluations, seconds of them, seconds of the run) of one run; of a stopped one up to its last rung."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    took = [line["took"] for line in lines if line["kind"] == "eval"]
    last = max((line["seconds"] for line in lines if "seconds" in line), default=0.0)
    outcome = run / "outcome.json"
    seconds = json.loads(outcome.read_text(encoding="utf-8"))["seconds"] if outcome.is_file() else last
    return len(took), sum(took), float(seconds)


def main(arguments: Sequence[str]) -> None:
    """Print each run's share and that of all together."""
    with tempfile.TemporaryDirectory() as temporary:
        experiment = Path(arguments[0]) if arguments else search(Path(temporary))
        runs = sorted(path.parent for path in experiment.glob("trials/*/metrics.jsonl"))
        measured = [measure(run) for run in runs]
    print(f"{'run':24}{'evaluations':>12}{'evaluating':>12}{'run':>10}{'share':>8}")
    for run, (number, took, seconds) in zip(runs, measured, strict=True):
        print(f"{run.name:24}{number:12}{took:10.1f} s{seconds:8.1f} s{took / seconds:8.1%}")
    took, seconds = (sum(values[index] for values in measured) for index in (1, 2))
    print(f"{'all':24}{sum(values[0] for values in measured):12}{took:10.1f} s{seconds:8.1f} s{took / seconds:8.1%}")


if __name__ == "__main__":
    main(sys.argv[1:])
