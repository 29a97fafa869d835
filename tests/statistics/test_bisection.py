"""Where a function reaches a goal."""

from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.statistics.bisection import find_crossing


@given(st.floats(0.001, 7.9), st.floats(1e-9, 1e-3))
def test_the_result_is_at_most_as_far_above_the_true_one_as_allowed(root: float, exact: float) -> None:
    found = find_crossing(lambda x: x**3, root**3, 0.0, 8.0, exact=exact)
    assert -1e-12 <= found - root <= exact + 1e-12
