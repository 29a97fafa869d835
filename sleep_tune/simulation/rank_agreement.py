"""Rank correlation of random settings between a share of the budget and its end, on a landscape."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sleep_tune.search.monitor.rank_correlation import concordance
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.points import draw

__all__ = ["RankAgreement", "rank_agreement"]

SETTINGS = 100
"""Number of random settings."""


@dataclass(frozen=True, slots=True)
class RankAgreement:
    """Rank correlation between one share of the budget and the end."""

    share: float
    tau: float
    """Kendall's tau-b between reports there and the loss at the end without noise, over random settings."""
    within: float | None
    """The same over pairs with equal `scheduler.within`; None if the study sets none."""


def rank_agreement(landscape: Landscape, shares: Sequence[float], seed: int, within: str | None) -> list[RankAgreement]:
    """Return Kendall's tau for each share.

    Args:
        landscape: gives the curves.
        shares: of the budget, in (0, 1].
        seed: of the draws and of the runs.
        within: name of a parameter; pairs of equal value are also counted apart.
    """
    rng = np.random.default_rng([seed, SETTINGS])
    drawn = [draw(landscape.parameters, rng) for _ in range(SETTINGS)]
    truths = [landscape.truth(settings) for settings in drawn]
    groups: dict[str, list[int]] = defaultdict(list)
    for number, settings in enumerate(drawn):
        groups[str(settings.get(within or "", ""))].append(number)
    rows = []
    for share in shares:
        values = [landscape.curve(settings, seed, share) for settings in drawn]
        pairs = list(zip(values, truths, strict=True))
        together = _tau([pairs])
        apart = _tau([[pairs[number] for number in group] for group in groups.values()])
        rows.append(RankAgreement(share, together, apart if within is not None else None))
    return rows


def _tau(groups: Sequence[Sequence[tuple[float, float]]]) -> float:
    counted = [concordance(group) for group in groups]
    most = sum(possible for _, possible in counted)
    return sum(net for net, _ in counted) / most if most else 0.0
