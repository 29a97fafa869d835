"""Scoring in bf16 where it cannot change a choice, and in float32 where it could. Knows no tasks.

A trunk in bf16 is several times faster on a GPU and moves a score by some hundredths of a nat. Only choices count, so
only items whose best two options come close need float32. How close is measured and not assumed: some items are scored
both ways, and whatever is scored again widens the bound if it was further off.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from sleep_tune.evaluation.item_scorer import ItemScorer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["PRECISIONS", "in_bf16", "in_fp32"]

Advance = Callable[[int], None] | None
Scores = tuple[NDArray[np.float64], ...]

SAMPLE = 256
"""Items scored both ways, evenly spread over all, to see how far off bf16 is."""

SAFETY = 4.0
"""An item is scored again if its lead is below this many times the largest error of a lead seen so far."""


def in_fp32(questions: ItemScorer, model: "PreTrainedModel", advance: Advance = None) -> Scores:
    """The definition: scores in the precision of the model, which is opened in float32."""
    return questions.score(model, advance)


def in_bf16(questions: ItemScorer, model: "PreTrainedModel", advance: Advance = None) -> Scores:
    """Score under bf16 autocast, and again in float32 whatever might be chosen otherwise.

    Items that are compared with people by their values (`Item.human`) are scored in float32 at once.

    Returns:
        Scores whose choices are those of float32; of all items scored again, float32's own scores.
    """
    exact = np.array([item.human is not None for item in questions.items], dtype=np.bool_)
    scores: list[NDArray[np.float64]] = [np.zeros(0)] * len(exact)
    fast = np.flatnonzero(~exact)
    _put(scores, np.flatnonzero(exact), questions, model, advance)
    device = next(model.parameters()).device.type
    with torch.autocast(device, dtype=torch.bfloat16):
        _put(scores, fast, questions, model, advance)

    again = np.zeros(len(exact), dtype=np.bool_)
    again[fast[:: max(1, len(fast) // SAMPLE)]] = True
    worst, done = 0.0, exact
    while (todo := np.flatnonzero(again & ~done)).size:
        before = {int(index): scores[index] for index in todo}
        _put(scores, todo, questions, model, None)
        errors = (np.abs(_differences(scores[index]) - _differences(old)).max() for index, old in before.items())
        worst = max(worst, *(float(error) for error in errors))
        done = done | again
        leads = np.array([_lead(score) for score in scores])
        again = again | ~(leads > SAFETY * worst)  # what is not a number is scored again, too
    return tuple(scores)


PRECISIONS: dict[str, Callable[[ItemScorer, "PreTrainedModel", Advance], Scores]] = {"bf16": in_bf16, "fp32": in_fp32}
"""Name -> function(questions, model, advance) -> option scores of each item."""


def _put(
    scores: list[NDArray[np.float64]],
    chosen: NDArray[np.int64],
    questions: ItemScorer,
    model: "PreTrainedModel",
    advance: Advance,
) -> None:
    """Score the chosen items and put the results in their places."""
    if chosen.size:
        for index, score in zip(chosen, questions.subset(chosen).score(model, advance), strict=True):
            scores[index] = score


def _differences(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each option's score less the first one's: what bf16 shifts all alike does not count."""
    differences: NDArray[np.float64] = scores - scores[0]
    return differences


def _lead(scores: NDArray[np.float64]) -> float:
    """How far the best option is ahead of the next."""
    if len(scores) < 2:
        return float("inf")
    second, first = np.sort(scores)[-2:]
    return float(first - second)
