"""Learning-rate schedules over words: pure functions of the share of the budget that has been seen.

Nothing is planned in steps, so that runs which differ in batches, folds or sleep still meet the same rates at the same
words. Knows no optimizer.
"""

import math
from collections.abc import Callable

__all__ = ["SCHEDULES"]


def linear(share: float, *, warmup: float, cooldown: float) -> float:
    """Rise over `warmup`, then fall in a line to 0."""
    return min(_rise(share, warmup), (1 - share) / (1 - warmup))


def cosine(share: float, *, warmup: float, cooldown: float) -> float:
    """Rise over `warmup`, then fall along half a cosine to 0 (Loshchilov and Hutter 2017, arXiv 1608.03983)."""
    if share < warmup:
        return _rise(share, warmup)
    return 0.5 * (1 + math.cos(math.pi * (share - warmup) / (1 - warmup)))


def wsd(share: float, *, warmup: float, cooldown: float) -> float:
    """Rise over `warmup`, stay, then fall in a line to 0 over the last `cooldown` (Hu et al. 2024, 2404.06395)."""
    return min(_rise(share, warmup), 1.0, (1 - share) / cooldown)


def _rise(share: float, warmup: float) -> float:
    """The warm-up's line from 0; 1 where there is none."""
    return share / warmup if warmup else 1.0


SCHEDULES: dict[str, Callable[..., float]] = {"cosine": cosine, "linear": linear, "wsd": wsd}
"""Name -> function (share of the budget in [0, 1], *, warmup, cooldown) -> share of the peak rate in [0, 1].

`warmup` is a share of the budget in [0, 1); `cooldown` in (0, 1] is read by wsd alone.
"""
