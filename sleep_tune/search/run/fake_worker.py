"""A worker that trains nothing: its curves are functions of the configuration, the seed and the words.

It calls `report` and follows the answers exactly as training does, so that whole searches run in milliseconds.
"""

import functools
import hashlib
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import flatten, to_dict
from sleep_tune.errors import Diverged
from sleep_tune.metric_names import AVERAGED, of_variant, on_test
from sleep_tune.records import Decision, Outcome, Progress, Report
from sleep_tune.search.space.search_space import CorpusSummary

__all__ = ["Curve", "FakeWorker", "synthetic_loss"]

Curve = Callable[[RunConfig, int, float], float]
"""(configuration, seed, share of the budget) -> eval/nll there; NaN is a run that has diverged."""

TOY_CORPUS = CorpusSummary(words=100_000, samples=1_000)
"""Size of the made-up corpus."""

ENDS = {Decision.STOP: "stopped", Decision.PAUSE: "paused"}
"""Answer to a report -> the state in which the run ends."""

UPDATE_WORDS = 1_000
"""Words of one made-up update."""


def synthetic_loss(config: RunConfig, seed: int, share: float) -> float:
    """A loss that falls with the share of the budget, and whose floor depends on every option that is searched.

    Better with more folds, half the candidates replayed, weighted choice and fewer passes; so curves cross: a run of
    fewer passes starts worse. A learning rate above 0.05 diverges halfway.
    """
    sleep = config.sleep
    if config.training.learning_rate > 0.05 and share >= 0.5:
        return math.nan
    passes = sleep.length.passes or 3.0
    floor = 3.0 + 0.3 / sleep.folds + 0.4 * (sleep.replay.ratio - 0.5) ** 2 + 0.03 * passes
    floor += {"weighted": 0.0, "strict": 0.1, "random": 0.2}.get(sleep.replay.strategy, 0.15)
    floor += 0.02 * abs(math.log10(config.training.learning_rate) + 3)
    speed = 2.0 + passes / 2
    return floor + 5.0 * math.exp(-speed * share) + 0.02 * _noise(config, seed)


@dataclass(frozen=True, slots=True)
class FakeWorker:
    """Replays a curve, and reports heartbeats, rungs and the end.

    Args:
        corpus: size of the made-up corpus.
        curve: the loss at each share of the budget.
        heartbeats: reports without a rung between two evaluations.
        seconds: real time of a whole run, spent asleep.
    """

    corpus: CorpusSummary = TOY_CORPUS
    curve: Curve = synthetic_loss
    heartbeats: int = 1
    seconds: float = 0.0

    def __call__(self, config: RunConfig, report: Report) -> Outcome:
        """Run to the end of the budget, or to the first report that is answered with STOP or PAUSE.

        Raises:
            Diverged: the curve is NaN between two rungs.
        """
        budget = config.budget.words or int((config.budget.passes or 0) * self.corpus.words)
        shares = [*config.evaluation.rungs, 1.0]
        before = 0.0
        for share in shares:
            for beat in range(1, self.heartbeats + 1):
                at = before + (share - before) * beat / (self.heartbeats + 1)
                self._take_time(share - before)
                decision = report(self._progress(config, budget, at, None))
                if decision in ENDS:
                    return self._outcome(config, budget, at, ENDS[decision])
                if math.isnan(self.curve(config, config.training.seed, at)):
                    raise Diverged(f"loss is nan at {at:.0%} of the budget")
            self._take_time(share - before)
            rung = round(share * budget)
            decision = report(self._progress(config, budget, share, rung))
            if decision in ENDS:
                return self._outcome(config, budget, share, ENDS[decision])
            before = share
        return self._outcome(config, budget, 1.0, "completed")

    def _take_time(self, share: float) -> None:
        """Sleep for a part of the time between two evaluations that lie `share` of the budget apart."""
        if self.seconds:
            time.sleep(self.seconds * share / (self.heartbeats + 1))

    def _progress(self, config: RunConfig, budget: int, share: float, rung: int | None) -> Progress:
        loss = self.curve(config, config.training.seed, share)
        folds = config.sleep.folds
        passes = config.sleep.length.passes or 1.0
        read = share * passes
        position = read * folds
        return Progress(
            words_seen=round(share * budget),
            budget_words=budget,
            updates=round(share * budget) // UPDATE_WORDS,
            phase="wake" if position % 1 < 0.5 else "sleep",
            cycle=int(position),
            pass_index=int(read),
            fold=int(position) % folds,
            folds=folds,
            read_ratio=min(1.0, read),
            seconds=share * budget / 10_000,
            rung=rung,
            metrics=self._metrics(config, loss) if rung is not None else {"loss": loss},
        )

    def _outcome(self, config: RunConfig, budget: int, share: float, state: str) -> Outcome:
        metrics = self._metrics(config, self.curve(config, config.training.seed, share))
        if config.evaluation.test and state == "completed":
            metrics |= {on_test(name): value + 0.01 for name, value in metrics.items()}
        words = round(share * budget)
        return Outcome(
            state=state,
            words_seen=words,
            updates=words // UPDATE_WORDS,
            seconds=words / 10_000,
            flops=1e6 * words,
            device="fake",
            metrics=metrics,
        )

    @staticmethod
    def _metrics(config: RunConfig, loss: float) -> dict[str, float]:
        metrics = {
            "eval/nll": loss,
            f"eval/{'' if config.training.objective == 'clm' else 'pseudo_'}perplexity": math.exp(loss),
            "eval/pairs_accuracy": 1 / (1 + math.exp(loss - 3.5)),
        }
        averaged = {of_variant(AVERAGED, name): value for name, value in metrics.items()}
        return metrics if config.training.ema is None else metrics | averaged


def _noise(config: RunConfig, seed: int) -> float:
    """Return a standard normal number, the same on any machine, from the seed and the settings that are not defaults.

    So a new option in the schema changes no made-up search.
    """
    settings: Mapping[str, Any] = flatten(to_dict(config))
    usual = _defaults()
    sections = ("sleep", "model", "training")
    chosen = {key: value for key, value in settings.items() if key.split(".")[0] in sections and value != usual[key]}
    if config.sleep.matched is not None:
        chosen["sleep.matched"] = Path(config.sleep.matched).name  # the experiment may be moved
    digest = hashlib.sha256(json.dumps(chosen, sort_keys=True, default=list).encode()).digest()
    return float(np.random.default_rng([seed, int.from_bytes(digest[:8], "big")]).standard_normal())


@functools.cache
def _defaults() -> Mapping[str, Any]:
    return flatten(to_dict(RunConfig()))
