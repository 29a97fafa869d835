"""Against scipy and statsmodels on the same predictions: formulas written out as the official pipeline has them."""

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from sleep_tune.evaluation.human_agreement import (
    EYE_TRACKING,
    SELF_PACED,
    SPILL_OVER,
    WORD,
    eye_tracking_score,
    self_paced_score,
    wug_ratios,
    wug_rho,
)


def reading_table(seed: int, rows: int = 300, missing: float = 0.05) -> pd.DataFrame:
    """Columns of the official file with its scales, holes included."""
    rng = np.random.default_rng(seed)
    length = rng.integers(1, 14, size=rows).astype(float)
    surprisal = rng.gamma(3.0, 2.5, size=rows)
    table = pd.DataFrame(
        {
            "Subtlex_log10": np.round(rng.uniform(0.3, 6.2, size=rows), 4),
            "length": length,
            "context_length": rng.integers(0, 15, size=rows).astype(float),
            "prev_length": np.r_[np.nan, length[:-1]],
            "pred": surprisal,
            "prev_pred": np.r_[np.nan, surprisal[:-1]],
        }
    )
    for name in (*EYE_TRACKING, SELF_PACED):
        table[name] = 180 + 9 * length - 11 * table["Subtlex_log10"] + 4 * surprisal + rng.normal(0, 40, size=rows)
        table.loc[rng.random(rows) < missing, name] = np.nan
    return table


def formula(target: str, predictors: tuple[str, ...], *more: str) -> str:
    products = [f"{a}:{b}" for i, a in enumerate(predictors) for b in predictors[i + 1 :]]
    return f"{target} ~ {' + '.join([*predictors, *products, *more])}"


def gain(table: pd.DataFrame, target: str, predictors: tuple[str, ...]) -> float:
    base = smf.ols(formula(target, predictors), data=table[[target, *predictors]].dropna()).fit().rsquared
    full = table[["pred", target, *predictors]].dropna()
    return float(100 * (smf.ols(formula(target, predictors, "pred"), data=full).fit().rsquared - base) / (1 - base))


@pytest.mark.parametrize("seed", range(2))
def test_reading_scores_agree_with_statsmodels(seed: int) -> None:
    table = reading_table(seed)
    columns = {str(name): table[name].to_numpy() for name in table}
    expected = float(np.mean([gain(table, name, WORD) for name in EYE_TRACKING]))
    assert eye_tracking_score(columns, columns["pred"]) == pytest.approx(expected, abs=1e-9)
    expected = gain(table, SELF_PACED, SPILL_OVER)
    assert self_paced_score(columns, columns["pred"], columns["prev_pred"]) == pytest.approx(expected, abs=1e-9)


def test_rows_without_a_surprisal_still_enter_the_fit_without_it() -> None:
    table = reading_table(7)
    table.loc[::9, "pred"] = np.nan
    columns = {str(name): table[name].to_numpy() for name in table}
    expected = float(np.mean([gain(table, name, WORD) for name in EYE_TRACKING]))
    assert eye_tracking_score(columns, columns["pred"]) == pytest.approx(expected, abs=1e-9)


def test_surprisal_that_says_nothing_explains_nothing() -> None:
    columns = {str(name): column.to_numpy() for name, column in reading_table(3).items()}
    assert eye_tracking_score(columns, np.full(300, 5.0)) == pytest.approx(0.0, abs=1e-9)
    assert eye_tracking_score(columns, 2.0 + columns["length"]) == pytest.approx(0.0, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-60, 0), st.floats(-60, 0), st.floats(0, 1)), min_size=3, max_size=40))
def test_wug_is_scipy_s_rank_correlation_of_the_softmax(items: list[tuple[float, float, float]]) -> None:
    ratios = wug_ratios(np.array([item[:2] for item in items]))
    assert np.all((ratios >= 0) & (ratios <= 1))
    human = [item[2] for item in items]
    rho = wug_rho(ratios, human)
    if np.ptp(ratios) == 0 or np.ptp(human) == 0:
        assert math.isnan(rho)
    else:
        assert rho == pytest.approx(spearmanr(ratios, human)[0], abs=1e-9)


def test_a_ratio_is_the_share_of_the_first_form_in_float32() -> None:
    assert wug_ratios(np.array([[-1.0, -1.0], [0.0, -math.log(3.0)]])) == pytest.approx([0.5, 0.75])
    certain = wug_ratios(np.array([[0.0, -40.0], [0.0, -50.0]]))
    assert certain[0] == certain[1] == 1.0  # in float64 they would differ, and so would their ranks


def test_one_item_or_a_constant_has_no_rank_correlation() -> None:
    assert math.isnan(wug_rho([0.5], [0.5]))
    assert math.isnan(wug_rho([0.5, 0.5], [0.1, 0.9]))
