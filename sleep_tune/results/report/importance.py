"""Importance of the searched parameters for the objective, with intervals.

PED-ANOVA (Watanabe, Bansal and Hutter 2023, in Optuna's implementation): how much the distribution of a parameter among
the better trials differs from its distribution among all trials. Intervals are from a bootstrap over trials.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

__all__ = ["FEWEST_TRIALS", "Importance", "estimate_importance"]

FEWEST_TRIALS = 12
"""With fewer trials no importance is estimated."""

REPLICATES = 40
"""Bootstrap samples."""

MOST_RESAMPLED = 400
"""Trials in a bootstrap sample, at most. With more trials the intervals are wider than they need to be."""


@dataclass(frozen=True, slots=True)
class Importance:
    """One parameter's importance."""

    key: str
    share: float
    """Of the total importance of all parameters, in [0, 1]."""
    low: float
    high: float
    """95% percentile interval over resampled trials."""
    trials: int
    """Trials in which it was searched."""


def estimate_importance(
    trials: pd.DataFrame, parameters: Sequence[str], values: "pd.Series[float]", mode: str
) -> list[Importance]:
    """Return the parameters, the most important first; an empty list with fewer than `FEWEST_TRIALS` trials.

    Args:
        trials: a row per trial, a column per parameter; missing where the parameter was not searched.
        parameters: the columns.
        values: the objective of each trial, with the same index; trials without a finite value are left out.
        mode: 'min' or 'max'.
    """
    known = values[np.isfinite(values.astype("float64"))]
    table = trials.loc[known.index, list(parameters)]
    searched = [key for key in parameters if table[key].notna().sum() >= FEWEST_TRIALS and table[key].nunique() > 1]
    if not searched:
        return []
    point = _shares(table, searched, known, mode)
    rng = np.random.default_rng(0)
    size = min(len(table), MOST_RESAMPLED)
    drawn = []
    for _ in range(REPLICATES):
        rows = rng.integers(len(table), size=size)
        drawn.append(_shares(table.iloc[rows], searched, known.iloc[rows], mode))
    found = []
    for key in searched:
        low, high = np.percentile([shares.get(key, 0.0) for shares in drawn], [2.5, 97.5])
        found.append(Importance(key, point.get(key, 0.0), float(low), float(high), int(table[key].notna().sum())))
    return sorted(found, key=lambda one: -one.share)


def _shares(table: pd.DataFrame, keys: list[str], values: "pd.Series[float]", mode: str) -> dict[str, float]:
    """Return each parameter's importance over the trials that have it, scaled to a sum of 1."""
    together: dict[bytes, list[str]] = {}
    for key in keys:
        together.setdefault(table[key].notna().to_numpy().tobytes(), []).append(key)
    raw = dict.fromkeys(keys, 0.0)
    for group in together.values():
        kept = table[group[0]].notna().to_numpy()
        raw |= _raw(table.loc[kept, group], values[kept], mode)
    total = sum(raw.values())
    return {key: value / total for key, value in raw.items()} if total > 0 else raw


def _raw(table: pd.DataFrame, values: "pd.Series[float]", mode: str) -> dict[str, float]:
    """Return PED-ANOVA's importance of parameters that the same trials have; those with a single value are left out."""
    with warnings.catch_warnings():  # in a notebook tqdm, which it imports, warns of missing widgets
        warnings.filterwarnings("ignore", "IProgress not found")
        import optuna
        from optuna.importance import PedAnovaImportanceEvaluator

    settings = {str(key): column.tolist() for key, column in table.items() if column.map(str).nunique() > 1}
    objective = values.astype("float64").tolist()
    if not settings or len(set(objective)) < 2:
        return {}
    ranges = {key: _distribution(column) for key, column in settings.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(direction="minimize" if mode == "min" else "maximize")
        study.add_trials(
            optuna.trial.create_trial(params=dict(zip(ranges, row, strict=True)), distributions=ranges, value=value)
            for value, *row in zip(objective, *settings.values(), strict=True)
        )
        found = PedAnovaImportanceEvaluator().evaluate(study, params=list(ranges))
    return {key: max(0.0, float(share)) for key, share in found.items()}


def _distribution(settings: list[Any]) -> "BaseDistribution":
    """Return a choice for few values, or values that are not all numbers; else a range."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    values = list(dict.fromkeys(settings))
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) < len(values) or len(values) <= 8:
        return CategoricalDistribution(values)
    return FloatDistribution(float(min(numbers)), float(max(numbers)))
