"""Always-valid evidence: closed forms against integrals, and its expected value."""

import math

import numpy as np
import pytest
import scipy.stats
from scipy.integrate import quad

from sleep_tune.statistics.always_valid import SCALE, log_evidence, log_sign_evidence, t_bound


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_evidence_is_the_ratio_of_likelihoods_of_t(count: int) -> None:
    values = np.random.default_rng(count).normal(0.8, 1.0, count)
    t = float(scipy.stats.ttest_1samp(values, 0.0).statistic)

    def mixed(effect: float) -> float:
        weight = scipy.stats.norm.pdf(effect, 0.0, math.sqrt(SCALE))
        return float(scipy.stats.nct.pdf(t, count - 1, effect * math.sqrt(count)) * weight)

    alternative = quad(mixed, -12, 12, limit=200)[0]
    ratio = alternative / scipy.stats.t.pdf(t, count - 1)
    assert math.exp(log_evidence(values)[-1]) == pytest.approx(ratio, rel=1e-4)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_expected_evidence_is_1_without_a_true_difference(count: int) -> None:
    values = np.random.default_rng(0).standard_normal((20_000, count))
    evidence = np.exp([log_evidence(row)[-1] for row in values])
    assert evidence.mean() == pytest.approx(1.0, abs=5 * evidence.std() / math.sqrt(len(values)) + 1e-9)


@pytest.mark.parametrize("level", [0.05, 0.005, 0.00125])
def test_the_bound_of_t_is_where_the_evidence_is_enough(level: float) -> None:
    for count in range(2, 21):
        values = np.random.default_rng(count).standard_normal(count)
        values -= values.mean()
        bound = t_bound(count, level)
        if math.isinf(bound):
            equal = (count - 1) / 2 * math.log1p(count * SCALE)  # of equal differences, the most there can be
            assert equal <= -math.log(level)
        else:
            values += bound * values.std(ddof=1) / math.sqrt(count)
            assert log_evidence(values)[-1] == pytest.approx(-math.log(level), rel=1e-9)
    assert math.isfinite(t_bound(5, 0.005))


def test_evidence_against_a_mean_is_that_of_the_rest() -> None:
    values = np.random.default_rng(1).normal(2.0, 1.0, 8)
    assert log_evidence(values, 1.5) == pytest.approx(log_evidence(values - 1.5))


def test_evidence_of_signs_has_expected_value_1() -> None:
    """Over all 2^n sequences of signs, which are equally likely."""
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * 8)).reshape(8, -1).T
    assert np.mean([np.exp(log_sign_evidence(row)) for row in signs], axis=0) == pytest.approx(np.ones(8))
    assert log_sign_evidence(np.array([math.inf, 1.0, 0.0])) == pytest.approx(
        log_sign_evidence(np.array([1.0, 2.0, 0.0]))
    )
