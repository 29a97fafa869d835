"""Statistics against scipy and statsmodels, and where those give no number."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from sleep_tune.results.statistics import estimate_mean, holm, paired_difference

vectors = st.lists(st.floats(-50, 50), min_size=2, max_size=20).filter(lambda v: np.ptp(v) > 1e-3)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(vectors, st.sampled_from([0.8, 0.95, 0.99]))
def test_mean_and_interval_are_scipys(values: list[float], confidence: float) -> None:
    ours = estimate_mean(values, confidence)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert ours.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert ours.count == len(values)


@given(st.integers(2, 20), st.integers(0, 2**32 - 1))
def test_paired_difference_is_scipys(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    treated, reference = rng.normal(size=(2, count))
    ours = paired_difference(treated, reference)
    theirs = scipy.stats.ttest_rel(treated, reference)
    interval = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue, abs=1e-9)
    assert ours.mean == pytest.approx(np.mean(treated - reference), abs=1e-9)
    assert (ours.low, ours.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_holm_is_statsmodels(count: int) -> None:
    """A few cases, ties among them: statsmodels takes a tenth of a second for each."""
    values = [round(float(p), 2) for p in np.random.default_rng(count).beta(0.5, 3, count)]
    expected = multipletests(values, method="holm")[1]
    assert holm(values) == pytest.approx(list(expected), abs=1e-9)


@given(p_values)
def test_holm_never_lowers_a_p_and_keeps_their_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(after >= before for before, after in zip(values, adjusted, strict=True))
    ranked = [adjusted[i] for i in np.argsort(values, kind="stable")]
    assert ranked == sorted(ranked)


def test_holm_of_nothing_is_nothing() -> None:
    assert holm([]) == []


def test_one_seed_gives_a_mean_without_interval_or_p() -> None:
    estimate = estimate_mean([3.5])
    assert (estimate.mean, estimate.low, estimate.high, estimate.count) == (3.5, None, None, 1)
    difference = paired_difference([3.5], [3.0])
    assert (difference.mean, difference.low, difference.high, difference.p) == (0.5, None, None, None)


def test_equal_values_give_an_interval_of_no_width() -> None:
    estimate = estimate_mean([0.9, 0.9, 0.9])
    assert (estimate.low, estimate.high) == pytest.approx((0.9, 0.9))


@pytest.mark.parametrize("count", [2, 3, 5, 8])
def test_a_constant_difference_is_judged_by_sign_flips(count: int) -> None:
    """Accuracies on few items often differ by the same step at both seeds; t would be infinite and p 0."""
    reference = np.linspace(0.7, 0.8, count)
    difference = paired_difference(reference + 0.01, reference)
    assert difference.mean == pytest.approx(0.01)
    assert difference.p == 2 / 2**count


def test_no_difference_at_all_has_p_one() -> None:
    difference = paired_difference([0.9, 0.8], [0.9, 0.8])
    assert (difference.mean, difference.low, difference.high, difference.p) == (0, 0, 0, 1)


def test_intervals_cover_as_they_say() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(loc=1.0, size=(2000, 5))
    estimates = [estimate_mean(row) for row in samples]
    covered = sum(e.low is not None and e.high is not None and e.low <= 1.0 <= e.high for e in estimates)
    assert covered / 2000 == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / 2000))


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], [[1.0], [2.0]]])
def test_values_must_be_finite_and_there(values: list[float]) -> None:
    with pytest.raises(ValueError, match="at least one value, all finite"):
        estimate_mean(values)


def test_other_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="must come in pairs; got 2 and 3"):
        paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"confidence must be in \(0, 1\); got 95"):
        estimate_mean([1, 2], 95)
    with pytest.raises(ValueError, match=r"p values must be in \[0, 1\]"):
        holm([0.5, math.nan])
