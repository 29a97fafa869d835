"""Ages of acquisition of words, of children and of a model, from sigmoids fitted to their learning curves.

The rules are those of BabyLM's pipelines, which follow Chang and Bergen (2022). 2025's have peculiarities: a model's
chance level is in bits (log2 of a vocabulary of 300,000) although surprisal is in nats, and all contexts of a word are
fitted together. 2026's fit the mean over the contexts, between bounds, against the chance level of the word's own
tokens.
"""

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import OptimizeWarning, curve_fit
from scipy.stats import DegenerateDataWarning, pearsonr

from sleep_tune.errors import DataError

__all__ = ["AGES", "AGE_RULES", "AgeComparison", "AgeRules", "child_age", "compare_ages", "model_age", "read_children"]

AGES = tuple(range(16, 31))
"""Ages in months at which parents were asked."""

FEWEST = 3
"""Lowest number of points for a fit, and of words for a correlation."""

UNBOUNDED = ([-math.inf] * 4, [math.inf] * 4)
"""Bounds of a sigmoid's parameters."""

Column = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeRules:
    """How a year's protocol computes a model's ages of acquisition and their agreement with children's."""

    fixed_chance: float | None
    """Surprisal of every word for a random model; None: in nats, by the model's vocabulary and the word's tokens."""
    averages: bool
    """Whether the contexts of a word are averaged within each checkpoint before the fit; else each is a point of it. A
    checkpoint with a missing value is left out of an average."""
    is_bounded: bool
    """Whether the parameters of the fitted sigmoid have bounds."""
    evaluations: int
    """Highest number of times that a fit computes the sigmoid."""
    smallest: float
    """Height and steepness of a fitted sigmoid must be above it."""
    highest_p: float
    """A correlation with a higher p-value counts as 0."""


AGE_RULES: dict[str, AgeRules] = {
    "2025": AgeRules(
        fixed_chance=math.log2(300_000), averages=False, is_bounded=False, evaluations=1000, smallest=0.0, highest_p=1.0
    ),
    "2026": AgeRules(
        fixed_chance=None, averages=True, is_bounded=True, evaluations=20_000, smallest=1e-6, highest_p=0.1
    ),
}
"""Year of a protocol -> its rules."""


@dataclass(frozen=True, slots=True)
class AgeComparison:
    """Ages of acquisition of the words for which both a model's and children's could be computed."""

    score: float
    """The protocol's score: the correlation, or 0 where its p-value is too high."""
    correlation: float
    """Pearson's r of the two ages; 0 if there are fewer than three words, as in the pipeline."""
    p_value: float
    """Of the correlation; NaN if there are fewer than three words."""
    words: tuple[str, ...]
    model: tuple[float, ...]
    """Age of each word: log10 of the number of words that the model had seen."""
    children: tuple[float, ...]
    """Age of each word in months."""


def read_children(path: Path) -> dict[str, Column]:
    """Read cdi_human.csv: word -> (number of AGES,) shares of children who say it, NaN where a value is missing.

    Raises:
        DataError: it is not a CSV file, or lacks the column `word` or all ages.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise DataError(f"{path} must be a CSV file: {str(error).strip()}") from error
    ages = [str(age) for age in AGES if str(age) in table.columns]
    if "word" not in table.columns or not ages:
        raise DataError(
            f"{path}:1: ages of acquisition must have the column 'word' and at least one of {AGES[0]} to {AGES[-1]}; "
            f"got {', '.join(map(str, table.columns))}"
        )
    shares = table.reindex(columns=[str(age) for age in AGES]).to_numpy(dtype=np.float64)
    first = ~table["word"].duplicated()  # of a word with two lines, the first counts
    return {str(word): row for word, row, keep in zip(table["word"], shares, first, strict=True) if keep}


def child_age(shares: Column) -> float | None:
    """Return the age, in months, at which half of the children say a word.

    Args:
        shares: (number of AGES,) shares of children, in [0, 1]; NaN if unknown.

    Returns:
        None if no curve fits, or it does not cross one half within the known ages.
    """
    known = ~np.isnan(shares)
    ages, values = np.array(AGES, dtype=np.float64)[known], shares[known]
    if len(values) < FEWEST:
        return None
    low, high = float(ages[0]), float(ages[-1])
    bounds = ([0.0, 0.0, low, -0.5], [2.0, 1.0, high, 0.5])
    age = _crossing(ages, values, 0.5, guess=[1.0, 0.1, float(ages.mean()), 0.0], bounds=bounds)
    return age if age is not None and low <= age <= high else None


@np.errstate(all="ignore")
def model_age(
    surprisal: Sequence[float], words_seen: Sequence[float], *, chance: float, rules: AgeRules
) -> float | None:
    """Return log10 of the words seen when a word's surprisal is halfway from chance to the model's lowest.

    Args:
        surprisal: nats, one for each context and checkpoint; NaN is dropped.
        words_seen: words seen at the checkpoint of each value, in ascending order.
        chance: the word's surprisal for a random model.
        rules: of a protocol.

    Returns:
        None if no curve fits, or it does not cross the middle between the first and the last checkpoint.
    """
    values, seen = np.array(surprisal, dtype=np.float64), np.array(words_seen, dtype=np.float64)
    if rules.averages:
        seen, values = _average(seen, values)
    known = ~np.isnan(values)
    if len(values) < FEWEST or not known.any():
        return None
    values, seen = -values[known], seen[known]
    halfway = -chance + 0.5 * (values.max() + chance)
    time = np.log10(seen + 1)
    lowest, size = float(values.min()), float(np.ptp(values))
    bounds = UNBOUNDED
    if rules.is_bounded:
        bounds = (
            [0.0, 0.0, float(time.min()) - 1, lowest - 2 * size - 1],
            [10 * size + 1, 100.0, float(time.max()) + 1, float(values.max()) + 1],
        )
    age = _crossing(
        time,
        values,
        halfway,
        guess=[size, 1.0, float(time.mean()), lowest],
        bounds=bounds,
        evaluations=rules.evaluations,
        smallest=rules.smallest,
    )
    return age if age is not None and seen[0] <= np.power(10.0, age) - 1 <= seen[-1] else None


def compare_ages(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    children: Mapping[str, Column],
    *,
    chance: Callable[[str], float],
    rules: AgeRules,
) -> AgeComparison:
    """Correlate a model's ages of acquisition with children's.

    Args:
        curves: word -> (surprisal, words seen), the arguments of `model_age`.
        children: word -> shares, as `read_children` returns them.
        chance: function from a word to its surprisal for a random model.
        rules: of a protocol.
    """
    ages: dict[str, tuple[float, float]] = {}
    for word, (surprisal, words_seen) in curves.items():
        child = child_age(children[word]) if word in children else None
        model = None if child is None else model_age(surprisal, words_seen, chance=chance(word), rules=rules)
        if child is not None and model is not None:
            ages[word] = (model, child)
    model_ages, child_ages = (tuple(pair[side] for pair in ages.values()) for side in (0, 1))
    correlation, p_value = (0.0, math.nan) if len(ages) < FEWEST else _correlate(model_ages, child_ages)
    score = 0.0 if p_value > rules.highest_p else correlation
    return AgeComparison(score, correlation, p_value, tuple(ages), model_ages, child_ages)


def _correlate(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """Return Pearson's r and its p-value; NaN where all ages on one side are the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = pearsonr(first, second)
    return float(found.statistic), float(found.pvalue)


def _average(seen: Column, values: Column) -> tuple[Column, Column]:
    """Return each number of words seen, in ascending order, and the mean of its values; NaN if one of them is NaN."""
    each = np.unique(seen)
    return each, np.array([values[seen == one].mean() for one in each], dtype=np.float64)


def sigmoid(x: Column, a: float, b: float, c: float, d: float) -> Column:
    """Return a / (1 + exp(-b (x - c))) + d."""
    return a / (1 + np.exp(-b * (x - c))) + d


def _crossing(
    x: Column,
    y: Column,
    level: float,
    *,
    guess: list[float],
    bounds: tuple[list[float], list[float]] = UNBOUNDED,
    evaluations: int = 1000,
    smallest: float = 0.0,
) -> float | None:
    """Return where a rising sigmoid that is fitted to the points reaches a level; None if it does not, or none fits."""
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            (a, b, c, d), _ = curve_fit(sigmoid, x, y, p0=guess, maxfev=evaluations, bounds=bounds)
    except (RuntimeError, ValueError, TypeError):  # no convergence; a guess outside the bounds; too few points
        return None
    if a <= smallest or b <= smallest or not d < level < a + d:
        return None
    with np.errstate(divide="ignore"):
        return float(c - np.log(a / (level - d) - 1) / b)
