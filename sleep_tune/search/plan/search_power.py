"""What a search of a certain size can find, given the scatter of its results over seeds.

The model: a search trains n settings once each. One of them is better than the others by `advantage`, the others are
equally good, and each result has independent normal noise. The search picks the settings with the best results. Early
stopping is not in the model. A setting that is stopped at a rung is not picked, so a search with early stopping finds
the better setting less often where the noise at the rung is larger than at the end
(`tests/benchmarks/bench_search_power.txt` has both).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr, ndtr

from sleep_tune.search.plan.seed_scatter import SeedScatter
from sleep_tune.statistics.bisection import find_crossing

__all__ = ["SearchPower", "found_share", "search_power", "smallest_found"]

POINTS = np.linspace(-8.0, 8.0, 1_601)
"""Values of the better setting's noise over which the probability is integrated, in standard deviations."""

WEIGHTS = np.exp(-(POINTS**2) / 2) / np.exp(-(POINTS**2) / 2).sum()
"""Their probabilities."""

LARGEST = 40.0
"""An advantage that is always found, in standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPower:
    """The smallest advantages over the other settings that a search finds in half of all cases."""

    finalists: int
    """Number of best trials that are trained again over fresh seeds; 0 for none."""
    as_finalist: float
    """Advantage of a setting that becomes one of them, in standard deviations of one result; 0 without them."""
    as_best: float
    """Advantage of a setting that becomes the best trial, in the same unit."""
    scatter: SeedScatter | None
    """That standard deviation; None if it is not known."""


def search_power(trials: int, finalists: int, scatter: SeedScatter | None) -> SearchPower:
    """Return what a search of so many trials can find.

    Args:
        trials: >= 1.
        finalists: number of best trials that are trained again, >= 0.
        scatter: of results over seeds, if it is known.
    """
    as_finalist = smallest_found(trials, finalists) if finalists else 0.0
    return SearchPower(
        finalists=min(finalists, trials), as_finalist=as_finalist, as_best=smallest_found(trials), scatter=scatter
    )


def found_share(advantage: float, trials: int, picked: int = 1) -> float:
    """Return how often the better setting is among the picked ones.

    Args:
        advantage: how much better it is, in standard deviations of one result.
        trials: settings that are trained, >= 1.
        picked: settings that are picked, >= 1.
    """
    if picked >= trials:
        return 1.0
    ahead = ndtr(-(POINTS + advantage))  # the chance that one other setting has a better result
    return float(WEIGHTS @ bdtr(picked - 1, trials - 1, ahead))


def smallest_found(trials: int, picked: int = 1, share: float = 0.5) -> float:
    """Return the smallest advantage at which the better setting is picked in this share of searches.

    Args:
        trials: settings that are trained, >= 1.
        picked: settings that are picked, >= 1.
        share: in (0, 1).

    Returns:
        The advantage in standard deviations of one result; 0 if an equal setting is picked as often.
    """
    if found_share(0.0, trials, picked) >= share:
        return 0.0
    return find_crossing(lambda advantage: found_share(advantage, trials, picked), share, 0.0, LARGEST, exact=1e-6)
