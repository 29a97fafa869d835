"""Evaluation tasks that a run would not be scored on, found before anything is trained."""

from dataclasses import replace

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import prepare
from sleep_tune.evaluation.evaluator import Evaluator

__all__ = ["find_unscored_tasks"]


def find_unscored_tasks(config: RunConfig) -> tuple[str, ...]:
    """Return the tasks of evaluation.data that a run would not be scored on at its end, each with the reason.

    Raises:
        DataError: a task's files are not valid, or the corpus or tokenizer cannot be read.
    """
    corpus = prepare(config.data, config.tokenizer)
    return Evaluator(corpus, replace(config.evaluation, test=True), config.data.seed).left_out
