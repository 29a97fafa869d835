"""What is made of scores where a share of right answers will not do: correlations and variance explained.

Follows babylm/evaluation-pipeline-2025 number for number. Knows no model, no tokenizer and no files.
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
"""Reading times from eye tracking, in the order of the official data."""

SELF_PACED = "self_paced_reading_time"

WORD = ("Subtlex_log10", "length", "context_length")
"""What predicts a reading time without a model: frequency, length in letters, and words before."""

SPILL_OVER = (*WORD, "prev_length", "prev_pred")
"""The same and the word before, its surprisal included."""


def wug_ratios(scores: NDArray[np.floating]) -> Column:
    """How likely a model finds the first of two forms.

    In float32, as the pipeline does: where a model is certain, ratios then tie, and ties enter the rank correlation.

    Args:
        scores: (N, 2) log-probabilities in nats.

    Returns:
        (N,) in [0, 1].
    """
    return torch.softmax(torch.as_tensor(scores, dtype=torch.float32), dim=1)[:, 0].double().numpy()


def wug_rho(ratios: Sequence[float] | Column, human: Sequence[float] | Column) -> float:
    """Spearman's rho, in [-1, 1], of a model's ratios and the shares of people who chose the first form.

    NaN where one of the two is constant or there are fewer than two items: then there is nothing to correlate.
    """
    first, second = np.asarray(ratios, dtype=np.float64), np.asarray(human, dtype=np.float64)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(spearmanr(first, second).statistic)


def eye_tracking_score(columns: Mapping[str, Column], surprisal: Column) -> float:
    """How much of what is left of eye-tracked reading times a model's surprisal explains, in percent.

    Args:
        columns: EYE_TRACKING and WORD, each (N,), NaN where a value is missing.
        surprisal: (N,) nats of each word given what stands before it.

    Returns:
        The mean over the four times of 100 (R2 - R2 without) / (1 - R2 without), by ordinary least squares.
    """
    gains = [_gain(columns[time], [columns[name] for name in WORD], surprisal) for time in EYE_TRACKING]
    return math.fsum(gains) / len(gains)


def self_paced_score(columns: Mapping[str, Column], surprisal: Column, previous: Column) -> float:
    """The same of self-paced reading times, given the word before: what one word costs is paid on the next, too.

    Args:
        columns: SELF_PACED, WORD and prev_length, each (N,), NaN where a value is missing.
        surprisal: (N,) nats of each word.
        previous: (N,) nats of the word before, NaN where there is none.
    """
    everything = {**columns, "prev_pred": previous}
    return _gain(columns[SELF_PACED], [everything[name] for name in SPILL_OVER], surprisal)


def _gain(times: Column, predictors: Sequence[Column], surprisal: Column) -> float:
    """Percent of what `predictors` and all their products by two leave open that surprisal explains.

    Each fit leaves out the rows that lack one of its own values, so the fit without surprisal may keep more of them.
    """
    base = _r_squared(times, predictors, ())
    return 100.0 * (_r_squared(times, predictors, (surprisal,)) - base) / (1.0 - base)


def _r_squared(times: Column, interacting: Sequence[Column], alone: Sequence[Column]) -> float:
    """Share of the variance that a linear model explains, with an intercept."""
    known = np.isfinite(np.column_stack([times, *interacting, *alone])).all(axis=1)
    # Standardised first: the same space is spanned, and products of raw columns are nearly parallel to them.
    factors = [_standardised(column[known]) for column in interacting]
    products = [first * second for first, second in combinations(factors, 2)]
    free = [_standardised(column[known]) for column in alone]
    target = times[known] - times[known].mean()
    design = np.column_stack([np.ones(len(target)), *factors, *products, *free])
    left = target - design @ np.linalg.lstsq(design, target, rcond=None)[0]
    return float(1.0 - (left @ left) / (target @ target))


def _standardised(column: Column) -> Column:
    """Mean 0 and standard deviation 1; a constant column becomes zeros."""
    centred = column - column.mean()
    deviation = float(np.sqrt(centred @ centred / max(1, len(centred))))
    return centred / deviation if deviation > 0 else np.zeros_like(centred)
