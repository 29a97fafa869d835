"""Which tasks a run would leave out, found by reading all of them before anything is trained."""

from dataclasses import replace

from sleep_tune.config.schema import RunConfig
from sleep_tune.data.prepare import prepare
from sleep_tune.evaluation.evaluator import Evaluator

__all__ = ["left_out"]


def left_out(config: RunConfig) -> tuple[str, ...]:
    """Tasks of evaluation.data that a run of this configuration would not be scored on at its end, and why.

    Raises:
        DataError: a task that is not as it must be; a corpus or tokenizer that cannot be read.
    """
    corpus = prepare(config.data, config.tokenizer)
    return Evaluator(corpus, replace(config.evaluation, test=True), config.data.seed).left_out
