"""Scores in bf16 if that cannot change a choice, and in float32 if it could.

A trunk in bf16 is several times faster on a GPU and changes a score by some hundredths of a nat. Only choices count, so
only items whose two best options have close scores need float32. How close is measured: a sample of items is scored
both ways, and each item that is scored again may widen the bound.
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
"""Number of items scored both ways, evenly spread over all, to measure the error of bf16."""

SAFETY = 4.0
"""An item is scored again if its lead is below this multiple of the largest error of a lead measured so far."""


def in_fp32(items: ItemScorer, model: "PreTrainedModel", advance: Advance = None) -> Scores:
    """Score in the precision of the model, which is opened in float32: the definition."""
    return items.score(model, advance)


def in_bf16(items: ItemScorer, model: "PreTrainedModel", advance: Advance = None) -> Scores:
    """Score under bf16 autocast, and again in float32 the items whose choice might differ.

    Items whose probabilities are compared with people's choices (`Item.human`) are scored in float32 only.

    Returns:
        Scores with the choices of float32; items that were scored again have the scores of float32.
    """
    exact = np.array([item.human is not None for item in items.items], dtype=np.bool_)
    scores: list[NDArray[np.float64]] = [np.zeros(0)] * len(exact)
    fast = np.flatnonzero(~exact)
    _put(scores, np.flatnonzero(exact), items, model, advance)
    device = next(model.parameters()).device.type
    with torch.autocast(device, dtype=torch.bfloat16):
        _put(scores, fast, items, model, advance)

    again = np.zeros(len(exact), dtype=np.bool_)
    again[fast[:: max(1, len(fast) // SAMPLE)]] = True
    worst, done = 0.0, exact
    while (todo := np.flatnonzero(again & ~done)).size:
        before = {int(index): scores[index] for index in todo}
        _put(scores, todo, items, model, None)
        errors = (np.abs(_differences(scores[index]) - _differences(old)).max() for index, old in before.items())
        worst = max(worst, *(float(error) for error in errors))
        done = done | again
        leads = np.array([_lead(score) for score in scores])
        again = again | ~(leads > SAFETY * worst)  # NaN is scored again, too
    return tuple(scores)


PRECISIONS: dict[str, Callable[[ItemScorer, "PreTrainedModel", Advance], Scores]] = {"bf16": in_bf16, "fp32": in_fp32}
"""Name -> function(items, model, advance) -> for each item (number of options,) scores in nats."""


def _put(
    scores: list[NDArray[np.float64]],
    chosen: NDArray[np.int64],
    items: ItemScorer,
    model: "PreTrainedModel",
    advance: Advance,
) -> None:
    """Score the chosen items and store the results at their indices."""
    if chosen.size:
        for index, score in zip(chosen, items.subset(chosen).score(model, advance), strict=True):
            scores[index] = score


def _differences(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each option's score minus that of option 0: an error that all options share does not count."""
    differences: NDArray[np.float64] = scores - scores[0]
    return differences


def _lead(scores: NDArray[np.float64]) -> float:
    """Return the difference between the two best scores."""
    if len(scores) < 2:
        return float("inf")
    second, first = np.sort(scores)[-2:]
    return float(first - second)
