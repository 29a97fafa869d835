"""What rate, masking and shrinking of a sleep cost: an update of runs with them beside one without, and one shrink.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_plasticity     # three rounds of eight updates: four minutes
    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_plasticity 5 16

The 8 x 256 masked model, 16 x 128, wake and sleep. All kinds of runs take turns in one process; the first update of
each is not counted. Ratios are of processor time, medians over rounds. A shrink is timed by itself and given in updates
of the plain run, since a run of the study makes hundreds of updates for each.
"""

import statistics
import sys
import tempfile
import time
from functools import partial
from typing import Any

from sleep_tune.config.schema import (
    BudgetConfig,
    LengthConfig,
    ModelConfig,
    RunConfig,
    RunSection,
    ShrinkConfig,
    SleepConfig,
    TrainingConfig,
)
from sleep_tune.data.prepare import Corpus
from sleep_tune.records import Decision
from sleep_tune.training import shrink
from sleep_tune.training.run import train
from tests.benchmarks.bench_training import BATCH, make_corpus, measure, print_machine

KNOBS: dict[str, dict[str, Any]] = {
    "plain": {},
    "learning_rate=0.5": {"learning_rate": 0.5},
    "masking=0.3": {"masking": 0.3},
    "shrink by magnitude": {"shrink": ShrinkConfig(factor=0.95)},
    "shrink by gradient": {"shrink": ShrinkConfig(factor=0.95, by="gradient")},
}
"""Name -> options of sleep."""


def run_once(corpus: Corpus, knobs: dict[str, Any]) -> float:
    """Train on the corpus awake, and as many words asleep, in two cycles; return the FLOPs."""
    with tempfile.TemporaryDirectory() as folder:
        config = RunConfig(
            run=RunSection(dir=folder),
            model=ModelConfig(),
            sleep=SleepConfig(folds=2, length=LengthConfig(passes=1.0), **knobs),
            budget=BudgetConfig(passes=2.0),
            training=TrainingConfig(batch_size=BATCH, device="cpu", checkpoint_ratio=0, save_model=False),
        )
        evaluate = lambda model, split: {"eval/nll": 0.0}  # noqa: E731
        return train(config, lambda _: Decision.CONTINUE, corpus=corpus, evaluate=evaluate).flops


class TimedShrinks:
    """Shrinks weights and keeps how long that took, in seconds of the processor, by what it shrinks by."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[float]] = {}
        module: Any = shrink
        self._shrink, module.shrink_weights = shrink.shrink_weights, self

    def __call__(self, *arguments: Any, by: str, **named: Any) -> None:
        """Shrink, timed."""
        begun = time.process_time()
        self._shrink(*arguments, by=by, **named)
        self.seconds.setdefault(by, []).append(time.process_time() - begun)


def main(rounds: str = "3", updates: str = "8") -> None:
    """Print the cost of each knob."""
    corpus, shrinks = make_corpus(int(updates)), TimedShrinks()
    seconds: dict[str, list[float]] = {name: [] for name in KNOBS}
    flops: dict[str, float] = {}

    def run(name: str) -> None:
        flops[name] = run_once(corpus, KNOBS[name])

    for _ in range(int(rounds)):
        for name in KNOBS:
            seconds[name].append(measure(partial(run, name)).processor)
    print_machine(f"masked model, {rounds} rounds of {updates} updates")
    print("                       seconds an update   ratio to plain   FLOPs to plain")
    for name, values in seconds.items():
        ratio = statistics.median(one / plain for one, plain in zip(values, seconds["plain"], strict=True))
        print(f"{name:22} {statistics.median(values):17.3f} {ratio:15.2f}x {flops[name] / flops['plain']:15.3f}x")
    update = statistics.median(seconds["plain"])
    for by, times in sorted(shrinks.seconds.items()):
        each = statistics.median(times)
        print(f"one shrink by {by:9} {each:6.3f} s, as long as {each / update:.2f} updates ({len(times)} timed)")


if __name__ == "__main__":
    main(*sys.argv[1:])
