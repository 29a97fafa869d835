"""Agreement of a model with people: rank correlation with their choices, and explained variance of reading times.

All numbers are those of babylm/evaluation-pipeline-2025.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr

__all__ = ["EYE_TRACKING", "SELF_PACED", "eye_tracking_score", "self_paced_score", "wug_ratios", "wug_rho"]

Column = NDArray[np.float64]

EYE_TRACKING = ("RTfirstfix", "RTfirstpass", "RTgopast", "RTrightbound")
"""Columns of reading times from eye tracking, in the order of the official data."""

SELF_PACED = "self_paced_reading_time"

WORD = ("Subtlex_log10", "length", "context_length")
"""Predictors of a reading time that need no model: frequency, length in letters, and number of words before."""

SPILL_OVER = (*WORD, "prev_length", "prev_pred")
"""The same with the length and surprisal of the word before."""


def wug_ratios(scores: NDArray[np.floating]) -> Column:
    """Return a model's probability of the first of two forms.

    It is computed in float32, as in the pipeline: where a model is certain the ratios are then equal, which changes
    the rank correlation.

    Args:
        scores: (N, 2) log-probabilities in nats.

    Returns:
        (N,) in [0, 1].
    """
    return torch.softmax(torch.as_tensor(scores, dtype=torch.float32), dim=1)[:, 0].double().numpy()


def wug_rho(ratios: Sequence[float] | Column, human: Sequence[float] | Column) -> float:
    """Return Spearman's rho, in [-1, 1], between a model's ratios and the shares of people who chose the first form.

    Args:
        ratios: (N,) in [0, 1].
        human: (N,) in [0, 1].

    Returns:
        NaN if either is constant or there are fewer than two items.
    """
    first, second = np.asarray(ratios, dtype=np.float64), np.asarray(human, dtype=np.float64)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(spearmanr(first, second).statistic)


def eye_tracking_score(columns: Mapping[str, Column], surprisal: Column) -> float:
    """Return the percentage of the variance of eye-tracking times that a model's surprisal explains beyond WORD.

    Args:
        columns: EYE_TRACKING and WORD, each (N,), NaN where a value is missing.
        surprisal: (N,) nats of each word given the words before it.

    Returns:
        The mean over the four times of 100 (R2 - R2_0) / (1 - R2_0), where R2_0 is of a fit without surprisal; by
        ordinary least squares.
    """
    gains = [_gain(columns[time], [columns[name] for name in WORD], surprisal) for time in EYE_TRACKING]
    return math.fsum(gains) / len(gains)


def self_paced_score(columns: Mapping[str, Column], surprisal: Column, previous: Column) -> float:
    """Return the same percentage for self-paced reading times, beyond SPILL_OVER: a word slows the next one, too.

    Args:
        columns: SELF_PACED, WORD and prev_length, each (N,), NaN where a value is missing.
        surprisal: (N,) nats of each word.
        previous: (N,) nats of the word before, NaN if there is none.
    """
    everything = {**columns, "prev_pred": previous}
    return _gain(columns[SELF_PACED], [everything[name] for name in SPILL_OVER], surprisal)


def _gain(times: Column, predictors: Sequence[Column], surprisal: Column) -> float:
    """Return the percentage of variance that surprisal explains beyond `predictors` and their pairwise products.

    Each fit drops the rows that lack one of its own values, so the fit without surprisal may use more rows.
    """
    base = _r_squared(times, predictors, ())
    return 100.0 * (_r_squared(times, predictors, (surprisal,)) - base) / (1.0 - base)


def _r_squared(times: Column, interacting: Sequence[Column], alone: Sequence[Column]) -> float:
    """Return R2 of a linear model with an intercept, `interacting` and their pairwise products, and `alone`."""
    known = np.isfinite(np.column_stack([times, *interacting, *alone])).all(axis=1)
    # Standardised columns span the same space; products of raw columns would be nearly parallel to them.
    factors = [_standardised(column[known]) for column in interacting]
    products = [first * second for first, second in combinations(factors, 2)]
    free = [_standardised(column[known]) for column in alone]
    target = times[known] - times[known].mean()
    design = np.column_stack([np.ones(len(target)), *factors, *products, *free])
    left = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(1.0 - (left @ left) / (target @ target))


def _standardised(column: Column) -> Column:
    """Return the column with mean 0 and standard deviation 1; a constant column becomes zeros."""
    centred = column - column.mean()
    deviation = float(np.sqrt(centred @ centred / max(1, len(centred))))
    return centred / deviation if deviation > 0 else np.zeros_like(centred)
