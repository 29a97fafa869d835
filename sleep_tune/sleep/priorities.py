"""Replay priorities of samples, from their scores and ages."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["priorities"]


def priorities(
    scores: NDArray[np.floating], ages: NDArray[np.integer], *, alpha: float, decay: float, floor: float
) -> NDArray[np.float64]:
    """Return score^alpha x max((1 - decay)^age, floor) for each candidate, (C,) float64.

    A score below 0 (rounding) counts as 0. At alpha = 0 all scores give the same priority. The exponent follows
    prioritised experience replay (Schaul et al. 2016); at alpha = 1 losses of a language model are so alike that
    drawing by priority is nearly uniform, which is why alpha may be far above 1.

    Args:
        scores: (C,) mean loss when last read awake, in nats.
        ages: (C,) cycles since that reading, >= 0.
        alpha: exponent of the score, >= 0.
        decay: share of its priority that a candidate loses with each cycle, in [0, 1].
        floor: lower bound of the age factor, in [0, 1].
    """
    result: NDArray[np.float64] = np.maximum(scores, 0.0, dtype=np.float64)
    if alpha == 0:
        result.fill(1.0)
    elif alpha != 1:
        with np.errstate(divide="ignore"):  # log(0) = -inf, and exp(-inf) = 0
            np.log(result, out=result)
        result *= alpha  # exp(alpha log x) is x^alpha, four times as fast as np.power
        np.exp(result, out=result)
    if decay > 0 and len(ages):
        factors = np.maximum((1.0 - decay) ** np.arange(int(ages.max()) + 1, dtype=np.float64), floor)
        result *= factors[ages]
    return result
