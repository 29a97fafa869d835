"""Statistics against scipy and statsmodels, and where those give no number."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import ttost_paired

from sleep_tune.statistics.fixed_sample import (
    equivalence_p,
    estimate_mean,
    fewest_seeds,
    holm,
    paired_difference,
    sign_flip_p,
    worst_rank_p,
)

vectors = st.lists(st.floats(-50, 50), min_size=2, max_size=20).filter(lambda v: np.ptp(v) > 1e-3)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=12)


@given(vectors)
def test_mean_and_interval_are_scipys(values: list[float]) -> None:
    ours = estimate_mean(values)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.95)
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


@pytest.mark.parametrize("count", [2, 3, 5, 8, 20])
@pytest.mark.parametrize("step", [0.0, 0.01, -30.0])
def test_a_constant_difference_is_not_tested(count: int, step: float) -> None:
    """Twenty copies of one pair of models are no evidence; t would be infinite, and sign flips give 2 / 2^20."""
    reference = np.linspace(0.7, 0.8, count)
    difference = paired_difference(reference + step, reference)
    assert difference.mean == pytest.approx(step)
    assert (difference.low, difference.high, difference.p, difference.error) == (None, None, 1.0, None)
    assert difference.is_untested
    assert equivalence_p(difference, 100.0) == 1.0


def test_intervals_cover_as_they_say() -> None:
    rng = np.random.default_rng(0)
    samples = rng.normal(loc=1.0, size=(2000, 5))
    estimates = [estimate_mean(row) for row in samples]
    covered = sum(e.low is not None and e.high is not None and e.low <= 1.0 <= e.high for e in estimates)
    assert covered / 2000 == pytest.approx(0.95, abs=3 * math.sqrt(0.05 * 0.95 / 2000))


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf], [[1.0], [2.0]]])
def test_values_must_be_finite_and_there(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        estimate_mean(values)


def test_other_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="2 and 3"):
        paired_difference([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match=r"\[0, 1\].*nan"):
        holm([0.5, math.nan])


@pytest.mark.parametrize("count", [2, 5, 9])
@pytest.mark.parametrize("margin", [0.05, 0.5, 3.0])
def test_equivalence_is_statsmodels(count: int, margin: float) -> None:
    treated, reference = np.random.default_rng(count).normal(size=(2, count)) * 0.3
    ours = equivalence_p(paired_difference(treated, reference), margin)
    assert ours == pytest.approx(ttost_paired(treated, reference, -margin, margin)[0], abs=1e-9)


def test_arms_that_differ_by_the_margin_are_called_equal_at_most_as_often_as_the_level_says() -> None:
    rng = np.random.default_rng(5)
    called = 0
    for _ in range(2000):
        p = equivalence_p(paired_difference(rng.normal(0.5, 0.1, 5), np.zeros(5)), 0.5)
        assert p is not None
        called += p < 0.05
    assert called / 2000 == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 2000))


def test_equivalence_needs_a_margin_and_more_than_one_seed() -> None:
    assert equivalence_p(paired_difference([1.0], [1.0]), 0.5) is None
    with pytest.raises(ValueError, match="must be above 0; got 0"):
        equivalence_p(paired_difference([1.0, 2.0], [1.0, 1.0]), 0.0)


@pytest.mark.parametrize("count", [2, 5, 9])
def test_sign_flips_are_scipys(count: int) -> None:
    values = np.random.default_rng(count).normal(0.5, 1.0, count)
    theirs = scipy.stats.permutation_test(
        (values, np.zeros(count)), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=10**6
    )
    assert sign_flip_p(values) == pytest.approx(float(theirs.pvalue), abs=1e-9)


def test_many_seeds_are_flipped_at_random_and_the_same_way_each_time() -> None:
    values = np.random.default_rng(1).normal(0.4, 1.0, 24)
    by_t = paired_difference(values, np.zeros(24)).p
    assert sign_flip_p(values) == sign_flip_p(values)
    assert sign_flip_p(values) == pytest.approx(by_t, abs=0.02)


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=12))
def test_signed_ranks_without_a_diverged_seed_are_the_sign_flips_of_ranks(values: list[float]) -> None:
    """Which are Wilcoxon's test; in the direction of the mean, so that a rank test of the other one is no claim."""
    array = np.array(values)
    known = array[array != 0]
    expected = sign_flip_p(np.sign(known) * scipy.stats.rankdata(np.abs(known))) if known.size else 1.0
    ranks = float((np.sign(known) * scipy.stats.rankdata(np.abs(known))).sum()) if known.size else 0.0
    if array.mean() * ranks <= 0:
        assert worst_rank_p(values, 0) == 1.0
    else:
        assert worst_rank_p(values, 0) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("seeds", "p"), [(5, 0.625), (8, 0.195), (12, 0.034)])
def test_one_diverged_seed_leaves_at_best_the_worst_rank(seeds: int, p: float) -> None:
    """Against the closed figures: the number of sets of ranks that sum to no more than the worst one's."""
    gains = np.linspace(0.1, 0.2, seeds - 1)
    assert worst_rank_p(gains, 1) == pytest.approx(p, abs=5e-4)
    theirs = scipy.stats.wilcoxon([*gains, -1e6], method="exact").pvalue
    assert worst_rank_p(gains, 1) == pytest.approx(float(theirs), abs=1e-12)


@pytest.mark.parametrize(
    ("lost", "level", "seeds"), [(1, 0.05, 12), (1, 0.05 / 3, 14), (1, 0.05 / 4, 15), (2, 0.05, 17)]
)
def test_so_many_seeds_a_claim_needs_once_some_diverged(lost: int, level: float, seeds: int) -> None:
    assert fewest_seeds(lost, level) == seeds
    below, enough = (worst_rank_p(np.arange(1.0, count - lost + 1), lost) for count in (seeds - 1, seeds))
    assert enough < level <= below


@given(vectors, st.integers(1, 3))
def test_a_diverged_seed_never_helps_the_arm_it_belongs_to(values: list[float], lost: int) -> None:
    gains = np.array(values)
    if gains.mean() > 0:
        assert worst_rank_p(gains, lost) >= worst_rank_p(gains, 0) - 1e-12
        assert worst_rank_p(-gains, 0, lost) >= worst_rank_p(-gains, 0) - 1e-12
    assert worst_rank_p(gains, lost) == pytest.approx(worst_rank_p(-gains, 0, lost))


def test_survivors_that_gain_are_no_claim_where_most_seeds_diverged() -> None:
    """The ranks alone would say that the arm is worse, and a p without a direction that it is better."""
    assert worst_rank_p(np.linspace(1.0, 2.0, 6), 14) == 1.0
