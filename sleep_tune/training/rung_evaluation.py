"""Evaluation at rungs: fixed shares of the budget at which a run is measured and reports its metrics."""

import math
import time
from collections.abc import Callable, Iterator

from transformers import PreTrainedModel

from sleep_tune.errors import Diverged
from sleep_tune.evaluation.evaluator import Evaluator
from sleep_tune.evaluation.score_files import ITEMS
from sleep_tune.interrupts import current
from sleep_tune.metric_names import AVERAGED, of_variant
from sleep_tune.records import Decision, Report
from sleep_tune.training.session import Session
from sleep_tune.training.weight_average import WeightAverage

__all__ = ["Evaluate", "RungEvaluator", "Rungs"]

Evaluate = Callable[[PreTrainedModel, str], dict[str, float]]
"""Model, split ('dev' or 'test') -> metrics."""


class RungEvaluator:
    """Evaluates the model, and its averaged weights if the run has them, and writes the metrics to metrics.jsonl."""

    def __init__(self, session: Session, evaluate: Evaluate, average: WeightAverage | None) -> None:
        self._session = session
        self._evaluate = evaluate
        self._average = average

    def __call__(self, model: PreTrainedModel, split: str, rung: int) -> dict[str, float]:
        """Return the metrics of the model on a split; those of its averaged weights begin with `ema/`.

        Args:
            model: its weights and its mode are left as they are.
            split: 'dev' or 'test'.
            rung: nominal words of the rung, for the record; the budget at the run's end.

        Raises:
            Diverged: the loss on the split is NaN or infinite.
        """
        begun = time.monotonic()
        with current().waiting(False):  # a checkpoint would skip this rung's evaluation
            metrics = self._measure(model, split)
        took = round(time.monotonic() - begun, 3)
        self._session.require_current()
        line = self._session.progress.line() | {"split": split, "rung": rung, "took": took, "metrics": metrics}
        self._session.journal.write("eval", line)
        for name, value in metrics.items():
            if name.endswith("/nll") and not math.isfinite(value):
                raise Diverged(f"{name} must stay finite; it became {value}: lower training.learning_rate")
        return metrics

    def _measure(self, model: PreTrainedModel, split: str) -> dict[str, float]:
        """Return the metrics; the model itself is measured last, since an `Evaluator` keeps the last answers."""
        averaged: dict[str, float] = {}
        if self._average is not None:
            with self._average.in_model():
                averaged = self._evaluate(model, split)
        return self._evaluate(model, split) | {of_variant(AVERAGED, name): averaged[name] for name in averaged}

    def write_answers(self) -> None:
        """Write the model's answer to each test item to eval/items.parquet, if the evaluation has any."""
        if self._session.processes.is_leader and isinstance(self._evaluate, Evaluator):
            self._evaluate.write_answers(self._session.run / "eval" / ITEMS)


class Rungs:
    """Evaluates and reports after the first update at or past each rung."""

    def __init__(self, session: Session, evaluate: RungEvaluator, report: Report, shares: tuple[float, ...]) -> None:
        """Begin at the run's present position: rungs up to it have been reported by an earlier attempt.

        Args:
            session: the attempt.
            evaluate: measures the model on dev.
            report: called with each rung's metrics by the leading process; its answer is passed to every process.
            shares: of the budget, each in (0, 1].
        """
        self._session = session
        self._evaluate = evaluate
        self._report = report
        progress = session.progress
        rungs = sorted({round(share * progress.budget_words) for share in shares})
        self._ahead = [rung for rung in rungs if rung > progress.words_seen]

    def report_due(self, model: PreTrainedModel) -> Iterator[Decision]:
        """Evaluate and report the rungs that were passed, the lowest first, and yield the answers, up to a stop."""
        while self._ahead and self._ahead[0] <= self._session.progress.words_seen:
            decision = self._report_rung(model, self._ahead.pop(0))
            yield decision
            if decision is Decision.STOP:
                return

    def _report_rung(self, model: PreTrainedModel, rung: int) -> Decision:
        metrics = self._evaluate(model, "dev", rung)
        progress = self._session.progress.snapshot(rung=rung, metrics=metrics)
        return self._session.processes.run_on_leader(lambda: self._report(progress))
