import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep.priorities import priorities


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
