"""Evidence that holds whenever one looks, and for any number of seeds: test martingales over paired differences.

Without a true difference, the expected value of a test martingale is 1 at every number of seeds, so the chance that it
ever reaches 1 / a is at most a (Ville 1939). So 1 / (its largest value so far) is a p that may be read after each seed.
It needs differences in an order that was fixed before they were seen.
"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln

__all__ = ["SCALE", "log_evidence", "log_sign_evidence", "t_bound"]

Reals = NDArray[np.float64]

SCALE = 4.0
"""Variance of the true difference under the alternative, in units of the variance of one difference.

With 1, the evidence of 5 seeds is never enough after Holm's correction over 4 arms.
"""


def log_evidence(differences: Reals, mean: float = 0.0) -> Reals:
    """Return (..., n) the logarithm of the evidence after each seed against a true difference of `mean`.

    It is the t statistic's martingale (Wang and Ramdas 2023, arXiv 2310.03722), for normal differences of any variance:
    with S the sum and Q the sum of squares of the first n differences less `mean`,

        M_n = (1 + n g)^(-1/2) (1 - g S^2 / ((1 + n g) Q))^(-n/2),  M_1 = 1,

    the likelihood ratio of the scale-free data where the true difference is N(0, g variance).

    Args:
        differences: (..., n) finite, in the order of seeds.
        mean: the true difference under the hypothesis.
    """
    centred = differences - mean
    count = np.arange(1, centred.shape[-1] + 1)
    squares = np.cumsum(centred**2, axis=-1)
    share = np.divide(np.cumsum(centred, axis=-1) ** 2, squares, out=np.zeros_like(squares), where=squares > 0)
    return np.asarray(-np.log1p(count * SCALE) / 2 - count / 2 * np.log1p(-SCALE * share / (1 + count * SCALE)))


def t_bound(count: int, level: float) -> float:
    """Return the |t| of `count` differences at which their evidence reaches 1 / level; infinite if none is enough."""
    room = -math.expm1(-2 / count * (-math.log(level) + math.log1p(count * SCALE) / 2))
    cosine = room * (1 + count * SCALE) / (count * SCALE)  # squared, between the differences and equal ones
    return math.sqrt((count - 1) * cosine / (1 - cosine)) if cosine < 1 else math.inf


def log_sign_evidence(differences: Reals) -> Reals:
    """Return (n,) the logarithm of the evidence after each seed that one sign is more frequent than the other.

    It is the mixture of all frequencies, 2^n B(wins + 1, losses + 1) (Robbins 1970). It assumes nothing of the size of
    differences, so that a diverged seed can count as a loss.

    Args:
        differences: (n,) in the order of seeds, infinite where a run diverged; 0 counts for neither sign.
    """
    wins, losses = np.cumsum(differences > 0), np.cumsum(differences < 0)
    return np.asarray((wins + losses) * math.log(2) + betaln(wins + 1, losses + 1))
