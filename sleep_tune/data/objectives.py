"""Training objectives: which tokens of a batch are predicted, from which positions, and what the model sees.

An objective is described by two numbers. `shift` is the distance from the position whose output predicts a token to the
token: 0 where the token is masked and predicted at its own place, 1 where it is predicted from the position before.
`causal_ratio` is the share of batches in which nothing is masked and a position sees only those up to it.

| objective | shift | causal batches | |
|---|---|---|---|
| mlm | 0 | none | masked language modelling (Devlin et al. 2019, arXiv 1810.04805) |
| clm | 1 | all | next-token prediction |
| hybrid | 1 | training.causal_ratio | masked next-token prediction (Charpentier and Samuel 2024, arXiv 2410.24159) |
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.masking import Masked
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["OBJECTIVES", "Predictions", "TrainingObjective", "is_causal_batch", "predict_all", "predict_masked"]


@dataclass(frozen=True, slots=True)
class TrainingObjective:
    """How tokens are predicted."""

    shift: int
    """Number of positions before a token at which it is predicted."""
    causal_ratio: float | None
    """Share of causal batches, in [0, 1]; None: training.causal_ratio."""


OBJECTIVES: dict[str, TrainingObjective] = {
    "clm": TrainingObjective(shift=1, causal_ratio=1.0),
    "hybrid": TrainingObjective(shift=1, causal_ratio=None),
    "mlm": TrainingObjective(shift=0, causal_ratio=0.0),
}
"""Name of `training.objective` -> its description."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """A batch of B rows of T tokens, of which M are predicted."""

    input_ids: NDArray[np.int64]
    """(B, T) what the model sees."""
    positions: NDArray[np.int64]
    """(M,) flat indices b * T + t of the outputs that predict, ascending."""
    tokens: NDArray[np.int64]
    """(M,) flat indices of the tokens that are predicted."""
    labels: NDArray[np.int64]
    """(M,) the tokens there."""


def is_causal_batch(index: int, ratio: float) -> bool:
    """Return whether batch `index`, from 0, is a causal one; such batches are spread evenly.

    Of the first n batches, floor(n x ratio) are causal.
    """
    return math.floor((index + 1) * ratio) > math.floor(index * ratio)


def predict_all(input_ids: NDArray[np.integer], special: SpecialTokens) -> Predictions:
    """Predict each token from the one before, separators included, since a text that is generated must end.

    Args:
        input_ids: (B, T) packed rows; the first token of a row, and padding, are not predicted.
        special: ids of the special tokens.
    """
    predicted = input_ids != special.pad
    predicted[:, 0] = False
    tokens = np.flatnonzero(predicted)
    seen = input_ids.astype(np.int64)
    return Predictions(seen, tokens - 1, tokens, seen.reshape(-1)[tokens])


def predict_masked(
    input_ids: NDArray[np.integer], mask: Callable[[NDArray[np.integer]], Masked], shift: int
) -> Predictions:
    """Predict the tokens that are masked, each from its own position or from the one before.

    Args:
        input_ids: (B, T) packed rows, which begin with a token that is never masked.
        mask: function that chooses and hides tokens.
        shift: 0 or 1, see `TrainingObjective`.
    """
    masked = mask(input_ids)
    return Predictions(masked.input_ids, masked.positions - shift, masked.positions, masked.labels)
