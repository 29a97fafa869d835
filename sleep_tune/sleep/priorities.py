"""Replay priorities of candidates, from their scores and ages."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["priorities"]


def priorities(
    scores: NDArray[np.floating],
    ages: NDArray[np.integer],
    *,
    alpha: float,
    decay: float,
    floor: float,
    uniform: float = 0.0,
) -> NDArray[np.float64]:
    """Return p = score^alpha x max((1 - decay)^age, floor) for each candidate, (C,) float64.

    With `uniform` above 0, return (1 - uniform) p / sum(p) + uniform / C instead, the probabilities of a mixture with
    uniform draws: no candidate is out of reach, whatever its priority.

    A score below 0 (rounding) counts as 0. At alpha = 0 all scores give the same priority. The exponent follows
    prioritised experience replay (Schaul et al. 2016); at alpha = 1 losses of a language model are so alike that
    drawing by priority is nearly uniform, which is why alpha may be far above 1.

    Args:
        scores: (C,) mean loss when last read awake, in nats; or what `NORMALISATIONS` made of it.
        ages: (C,) cycles since that reading, >= 0.
        alpha: exponent of the score, >= 0.
        decay: share of its priority that a candidate loses with each cycle, in [0, 1].
        floor: lower bound of the age factor, in [0, 1].
        uniform: share of the uniform distribution in the mixture, in [0, 1].
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
    if uniform > 0:
        total = float(result.sum())
        if total > 0:
            result *= (1 - uniform) / total
        result += uniform / max(len(result), 1)
    return result
