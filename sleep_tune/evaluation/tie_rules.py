"""Choices among options: which one is the model's, and what the item counts, also where several have the best score."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from sleep_tune.babylm.protocols import EXPECTED_CREDIT, FIRST_OPTION
from sleep_tune.evaluation.items import Item, best_options, choose

__all__ = ["SEED", "Decisions", "decide"]

SEED = 42
"""Seed of the draws among tied options."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What a model chose in each item of a task."""

    predictions: NDArray[np.int64]
    """(number of items,) indices of options."""
    credits: NDArray[np.float64]
    """(number of items,) 1 if the choice is right, 0 if not, and a share of 1 for a tie by EXPECTED_CREDIT."""


def decide(
    items: Sequence[Item],
    scores: Sequence[NDArray[np.float64]],
    ties: str = FIRST_OPTION,
    *,
    seed: int = SEED,
    draw: bool = False,
) -> Decisions:
    """Return the choices among the options of a task's items.

    Args:
        items: in the order of the files.
        scores: for each item (number of options,) log-probabilities in nats.
        ties: FIRST_OPTION: the first of the best options is chosen. EXPECTED_CREDIT: the choice is drawn among the best
            ones, as in BabyLM's pipeline of 2026 if torch is seeded with `seed` right before its loop over a task's
            batches; the credit is the expected one, 1/k if the right option is among k best ones.
        seed: of the draws.
        draw: whether the credit follows the draw, too.
    """
    labels = np.array([item.label for item in items], dtype=np.int64)
    if ties != EXPECTED_CREDIT:
        predictions = np.array([choose(own) for own in scores], dtype=np.int64)
        return Decisions(predictions, (predictions == labels).astype(np.float64))
    random = torch.Generator().manual_seed(seed)
    torch.empty((), dtype=torch.int64).random_(generator=random)  # the first number, which the DataLoader takes there
    best = [best_options(own) for own in scores]
    predictions = np.array(
        [own[int(torch.randint(len(own), (1,), generator=random)) if len(own) > 1 else 0] for own in best],
        dtype=np.int64,
    )
    if draw:
        return Decisions(predictions, (predictions == labels).astype(np.float64))
    shares = [float(item.label in own) / len(own) for item, own in zip(items, best, strict=True)]
    return Decisions(predictions, np.array(shares, dtype=np.float64))
