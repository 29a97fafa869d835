"""Spearman's rank correlation of each searched parameter with the objective, with bootstrap intervals.

Over trials that were trained to the end. A stopped trial does not count: its last value is from fewer words. Since a
search stops its worst trials, correlations among the others are weaker than they would be among all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.experiment.search_state import MAIN
from sleep_tune.results.columns import setting_text
from sleep_tune.results.trial_tables import parameter_columns
from sleep_tune.statistics.fixed_sample import CONFIDENCE

__all__ = ["FEWEST_TRIALS", "Correlation", "correlate_parameters", "correlate_search", "tabulate_correlations"]

FEWEST_TRIALS = 8
"""With fewer trials no correlation is estimated."""

REPLICATES = 1000
"""Bootstrap samples."""

Reals = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Correlation:
    """One parameter's rank correlation with the objective."""

    key: str
    value: str | None
    """None for numbers. Choices without an order have no rank: there the correlation is of having this value (1) or
    another one (0)."""
    rho: float
    """In [-1, 1]."""
    low: float
    high: float
    """95% percentile interval over resampled trials."""
    trials: int
    """Trials that have the parameter and were trained to the end."""


def correlate_search(trials: pd.DataFrame, experiment: Experiment) -> list[Correlation]:
    """Return the correlations (`correlate_parameters`) of an experiment's search, over its completed trials.

    Args:
        trials: of `trial_tables.tabulate_trials`.
        experiment: names the objective and the searched parameters.
    """
    completed = trials[(trials["study"] == MAIN) & (trials["state"] == "completed")]
    columns = parameter_columns(trials)
    parameters = [key for key in columns if key in experiment.parameters] or columns
    if experiment.objective not in completed:
        return []
    return correlate_parameters(completed, parameters, completed[experiment.objective])


def correlate_parameters(
    trials: pd.DataFrame, parameters: Sequence[str], values: "pd.Series[float]"
) -> list[Correlation]:
    """Return a row for each parameter, and for each value of an unordered choice, the strongest correlation first.

    A choice of two values has a row for the second only; that of the first is its negative. A parameter that other
    settings switch off counts where it was on. Parameters with a single value, or fewer than `FEWEST_TRIALS` trials,
    are left out.

    Args:
        trials: a row per trial, a column per parameter; missing where the trial does not have the parameter.
        parameters: the columns.
        values: the objective at the end of the budget, with the same index; missing for trials that did not get there.
    """
    known = values[np.isfinite(values.astype("float64"))]
    found = []
    for key in parameters:
        own = trials.loc[known.index, key].dropna()
        if len(own) >= FEWEST_TRIALS and own.map(str).nunique() > 1 and known[own.index].nunique() > 1:
            objective = known[own.index].to_numpy(np.float64)
            for value, column in _columns(own):
                rho, low, high = _bootstrap(column, objective)
                found.append(Correlation(key, value, rho, low, high, len(own)))
    return sorted(found, key=lambda one: -abs(one.rho))


def tabulate_correlations(found: Sequence[Correlation]) -> pd.DataFrame:
    """Return one row per correlation: parameter, value (of an unordered choice), spearman, low, high, trials."""
    rows = [(one.key, one.value, one.rho, one.low, one.high, one.trials) for one in found]
    return pd.DataFrame(rows, columns=["parameter", "value", "spearman", "low", "high", "trials"])


def _columns(settings: "pd.Series[Any]") -> list[tuple[str | None, Reals]]:
    """Return the settings as numbers: themselves, or for choices without an order 0 and 1 for each value."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in settings):
        return [(None, settings.to_numpy(np.float64))]
    texts = settings.map(setting_text)
    levels = sorted(texts.unique())
    return [(level, (texts == level).to_numpy(np.float64)) for level in (levels[1:] if len(levels) == 2 else levels)]


def _bootstrap(first: Reals, second: Reals) -> tuple[float, float, float]:
    """Return the rank correlation of (n,) and (n,) numbers, and its percentile interval.

    A resample in which either is constant has no correlation; it counts as 0.
    """
    rng = np.random.default_rng(0)
    number = len(first)
    count_RN = np.concatenate([np.ones((1, number)), rng.multinomial(number, [1 / number] * number, REPLICATES)])
    rank_RN, other_RN = (_mid_ranks(numbers, count_RN) - (number + 1) / 2 for numbers in (first, second))
    products = [(count_RN * one * two).sum(axis=1) for one, two in ((rank_RN, other_RN), (rank_RN, rank_RN))]
    spread = np.sqrt(products[1] * (count_RN * other_RN**2).sum(axis=1))
    rho_R = np.divide(products[0], spread, out=np.zeros_like(spread), where=spread > 0)
    low, high = np.quantile(rho_R[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(rho_R[0]), float(low), float(high)


def _mid_ranks(numbers: Reals, count_RN: NDArray[Any]) -> Reals:
    """Return (R, n) ranks, from 1, of (n,) numbers in R samples that hold entry i count_RN[r, i] times; ties share one.

    Without sorting each sample: the order of the numbers is the same in all.
    """
    levels, level_N = np.unique(numbers, return_inverse=True)
    order = np.argsort(level_N, kind="stable")
    starts = np.searchsorted(level_N[order], np.arange(len(levels)))
    count_RL = np.add.reduceat(count_RN[:, order], starts, axis=1)
    rank_RL = np.cumsum(count_RL, axis=1) - (count_RL - 1) / 2
    return np.asarray(rank_RL[:, level_N], dtype=np.float64)
