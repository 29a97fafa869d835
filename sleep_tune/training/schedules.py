"""Learning-rate schedules over words: pure functions of the share of the budget that has been seen.

They do not depend on steps: runs that differ in batches, folds or sleep have the same rate at the same words.
"""

import math
from collections.abc import Callable

__all__ = ["SCHEDULES"]


def constant(share: float, *, warmup: float, cooldown: float) -> float:
    """Rise linearly over `warmup`, then stay: the last words of a run change the model as much as earlier ones."""
    return min(_rise(share, warmup), 1.0)


def linear(share: float, *, warmup: float, cooldown: float) -> float:
    """Rise linearly over `warmup`, then fall linearly to 0."""
    return min(_rise(share, warmup), (1 - share) / (1 - warmup))


def cosine(share: float, *, warmup: float, cooldown: float) -> float:
    """Rise linearly over `warmup`, then fall along half a cosine to 0 (Loshchilov and Hutter 2017, 1608.03983)."""
    if share < warmup:
        return _rise(share, warmup)
    return 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def wsd(share: float, *, warmup: float, cooldown: float) -> float:
    """Rise over `warmup`, stay, then fall linearly to 0 over the last `cooldown` (Hu et al. 2024, arXiv 2404.06395)."""
    return min(_rise(share, warmup), 1.0, (1 - share) / cooldown)


def _rise(share: float, warmup: float) -> float:
    """Return the linear warm-up from 0; 1 without warm-up."""
    return share / warmup if warmup else 1.0


SCHEDULES: dict[str, Callable[..., float]] = {
    "constant": constant,
    "cosine": cosine,
    "linear": linear,
    "wsd": wsd,
}
"""Name -> function (share of the budget in [0, 1], *, warmup, cooldown) -> share of the peak rate in [0, 1].

`warmup` is a share of the budget in [0, 1); `cooldown`, in (0, 1], is used by wsd only.
"""
