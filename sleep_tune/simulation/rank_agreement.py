"""Whether the order of settings at a share of the budget is their order at the end. Knows no searches."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sleep_tune.search.monitor.rank_correlation import concordance
from sleep_tune.simulation.landscape import Landscape
from sleep_tune.simulation.points import draw

__all__ = ["Foretold", "foretell"]

SETTINGS = 100
"""Random settings whose order is looked at."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """How one share of the budget foretells the end."""

    share: float
    tau: float
    """Kendall's tau-b between what runs report there and their truth at the end, over random settings."""
    within: float | None
    """The same over pairs of equal value of the parameter that the study compares within."""


def foretell(landscape: Landscape, shares: Sequence[float], seed: int, within: str | None) -> list[Foretold]:
    """Kendall's tau of each share, 1 included.

    Args:
        landscape: whose curves.
        shares: of the budget.
        seed: draws the settings, and is their runs'.
        within: a parameter; None for none.
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
        rows.append(Foretold(share, together, apart if within is not None else None))
    return rows


def _tau(groups: Sequence[Sequence[tuple[float, float]]]) -> float:
    counted = [concordance(group) for group in groups]
    most = sum(possible for _, possible in counted)
    return sum(net for net, _ in counted) / most if most else 0.0
