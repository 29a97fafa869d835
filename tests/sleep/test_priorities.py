import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from sleep_tune.sleep.priorities import priorities
from sleep_tune.sleep.selection import weighted


@given(
    st.lists(st.tuples(st.floats(0, 50), st.integers(0, 300)), min_size=1, max_size=20),
    st.floats(0, 32),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_priority_is_score_to_the_alpha_times_the_age_factor(
    candidates: list[tuple[float, int]], alpha: float, decay: float, floor: float
) -> None:
    scores, ages = (np.array(column) for column in zip(*candidates, strict=True))
    result = priorities(scores, ages, alpha=alpha, decay=decay, floor=floor)
    wanted = [score**alpha * max((1 - decay) ** age, floor) for score, age in candidates]
    assert result == pytest.approx(wanted, rel=1e-12, abs=1e-300)
    assert np.isfinite(result).all()


def test_total_decay_leaves_the_youngest_and_a_floor_the_others() -> None:
    scores, ages = np.ones(3), np.array([0, 1, 2])
    assert priorities(scores, ages, alpha=1, decay=1, floor=0).tolist() == [1, 0, 0]
    assert priorities(scores, ages, alpha=1, decay=1, floor=0.2).tolist() == [1, 0.2, 0.2]


def test_alpha_zero_ignores_even_a_score_of_zero() -> None:
    assert priorities(np.array([0.0, 3.0]), np.zeros(2, int), alpha=0, decay=0, floor=0).tolist() == [1, 1]


def test_a_score_below_zero_counts_as_zero_and_the_scores_stay() -> None:
    scores = np.array([-1e-9, 2.0], np.float32)
    assert priorities(scores, np.zeros(2, int), alpha=0.5, decay=0, floor=0)[0] == 0
    assert scores.tolist() == np.array([-1e-9, 2.0], np.float32).tolist()


@given(
    st.lists(st.tuples(st.just(0.0) | st.floats(1e-6, 50), st.integers(0, 9)), min_size=1, max_size=20),
    st.floats(0, 32),
    st.just(1.0) | st.floats(0, 0.99),
    st.floats(0.001, 1),
)
def test_a_uniform_share_makes_probabilities_of_a_mixture(
    candidates: list[tuple[float, int]], alpha: float, decay: float, uniform: float
) -> None:
    scores, ages = (np.array(column) for column in zip(*candidates, strict=True))
    plain = priorities(scores, ages, alpha=alpha, decay=decay, floor=0)
    mixed = priorities(scores, ages, alpha=alpha, decay=decay, floor=0, uniform=uniform)
    total, count = sum(plain.tolist()), len(plain)
    if total == 0:
        assert mixed == pytest.approx(np.full(count, uniform / count), rel=1e-9)
    else:
        assert mixed == pytest.approx([(1 - uniform) * p / total + uniform / count for p in plain.tolist()], rel=1e-9)
        assert mixed.sum() == pytest.approx(1)


def test_weighted_draws_with_the_probabilities_of_the_mixture() -> None:
    """Single draws; a candidate without priority is drawn as often as uniform draws alone would draw it."""
    scores, rng, draws = np.array([6.0, 2.0, 0.0, 0.0]), np.random.default_rng(5), 20_000
    mixed = priorities(scores, np.zeros(4, int), alpha=1, decay=0, floor=0, uniform=0.4)
    wanted = [0.6 * 0.75 + 0.1, 0.6 * 0.25 + 0.1, 0.1, 0.1]
    counts = np.bincount(np.concatenate([weighted(mixed, scores, 1, rng) for _ in range(draws)]), minlength=4)
    statistic = sum((count - draws * p) ** 2 / (draws * p) for count, p in zip(counts, wanted, strict=True))
    assert statistic < chi2.ppf(0.999, 3)
