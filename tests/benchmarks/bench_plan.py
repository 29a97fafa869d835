"""A plan's hours against those that the search then took: tiny real searches in this process.

    python tests/benchmarks/bench_plan.py > tests/benchmarks/bench_plan.txt

Each is calibrated and planned, then run to its end; the ratio of the two should lie between 1/2 and 2. A second plan
is computed from the finished search's own trials.
"""

import tempfile
import time
from pathlib import Path

from rich.console import Console

from sleep_tune.search.plan.plan_view import show_plan
from sleep_tune.search.run.launch import PreparedSearch

SPACE = """\
base: {data: toy, data.sentences: 2500, data.max_length: 32, tokenizer.vocab_size: 500, model: tiny, budget.passes: 6,
       evaluation.samples: 64, evaluation.pairs: 60, training.batch_size: 16,
       training.threads: 1}
parameters:
  sleep.folds: {choice: [2, 3, 4, 5]}
  sleep.replay.strategy: {choice: [strict, weighted]}
scheduler: {first_rung: 0.3}
stop: {trials: TRIALS}
baselines: {epochs: {}}
finalists: {count: 1, seeds: 2}
"""


def compare(trials: int, folder: Path) -> None:
    """Plan, run, and print both."""
    path = folder / "tiny.yaml"
    path.write_text(SPACE.replace("TRIALS", str(trials)))
    study = PreparedSearch.read(path, [], folder / "results")
    plan = study.plan(launcher="inline", address=None, calibrated=True)
    show_plan(plan, Console(highlight=False))
    assert plan.span is not None
    began = time.monotonic()
    study.run(launcher="inline", address=None)
    took = time.monotonic() - began
    after = study.plan(launcher="inline", address=None)
    assert after.span is not None
    assert after.speed is not None
    print(f"\n{trials} trials: planned {plan.span.whole:.1f} s, took {took:.1f} s: ratio {plan.span.whole / took:.2f}")
    print(f"planned afterwards, from {after.speed.source.partition(' of ')[0]}:", end=" ")
    print(f"{after.span.whole:.1f} s: ratio {after.span.whole / took:.2f}\n", flush=True)


def main() -> None:
    """A short and a longer search."""
    for trials in (3, 6):
        with tempfile.TemporaryDirectory() as folder:
            compare(trials, Path(folder))


if __name__ == "__main__":
    main()
