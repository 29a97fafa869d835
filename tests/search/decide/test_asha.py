"""ASHA's rule against what its words say, spelt out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.experiment.trial_state import Arrivals
from sleep_tune.search.decide.asha import is_promoted, num_kept
from sleep_tune.search.space.rungs import rung_shares, rungs_of
from sleep_tune.search.space.search_space import Scheduler

VALUES = st.one_of(st.integers(0, 4).map(float), st.floats(-10, 10), st.just(math.nan), st.just(math.inf))


def last_is_promoted(values: list[float], reduction: float, mode: str) -> bool:
    """What is said of the last of these arrivals."""
    arrivals = Arrivals(mode)
    return is_promoted([arrivals.add("t", value) for value in values][-1], reduction)


@given(
    st.lists(VALUES, min_size=1, max_size=40), st.sampled_from([1.5, 2.0, 3.0, 4.0]), st.sampled_from(["min", "max"])
)
def test_the_best_are_promoted(values: list[float], reduction: float, mode: str) -> None:
    """Sort all arrivals by value, ties by arrival, what is not finite last: the judged one must be among the first."""
    sign = 1 if mode == "min" else -1

    def place(arrival: int) -> tuple[float, int]:
        value = values[arrival]
        return (sign * value if math.isfinite(value) else math.inf, arrival)

    judged = len(values) - 1
    best = sorted(range(len(values)), key=place)[: max(1, int(len(values) / reduction + 1e-9))]
    assert last_is_promoted(values, reduction, mode) == (judged in best and math.isfinite(values[judged]))


@given(st.lists(VALUES, max_size=20), st.sampled_from([math.nan, math.inf, -math.inf]))
def test_a_value_that_is_not_finite_is_never_promoted(values: list[float], value: float) -> None:
    """A trial that had diverged won every rung of a tuner whose comparison with NaN was always false."""
    assert not last_is_promoted([*values, value], 3, "min")
    assert not last_is_promoted([*values, value], 3, "max")


def test_the_first_arrival_is_promoted() -> None:
    assert last_is_promoted([5.0], 3, "min")


def test_one_in_eta_is_promoted_in_random_order() -> None:
    """27 trials from best to worst: only the first is promoted; from worst to best: all are."""
    descending = [float(value) for value in range(27, 0, -1)]
    assert sum(last_is_promoted(descending[: n + 1], 3, "min") for n in range(27)) == 27
    assert sum(last_is_promoted(descending[::-1][: n + 1], 3, "min") for n in range(27)) == 1


@pytest.mark.parametrize(
    ("first_rung", "reduction", "shares"),
    [(0.3, 3, (1 / 3,)), (1 / 9, 3, (1 / 9, 1 / 3)), (0.1, 2, (0.125, 0.25, 0.5)), (0.6, 2, ()), (1, 3, ())],
)
def test_rungs(first_rung: float, reduction: float, shares: tuple[float, ...]) -> None:
    assert rung_shares(first_rung, reduction) == pytest.approx(shares)


def test_none_has_no_rungs() -> None:
    assert rungs_of(Scheduler(name="none")) == ()
    assert len(rungs_of(Scheduler(name="asha"))) == 1


@given(st.integers(1, 1_000), st.integers(11, 60))
def test_one_in_eta_is_counted_in_decimals(whole: int, tenths: int) -> None:
    """Of 33 arrivals at eta 1.1, 30 are kept: in floating point 33 / 1.1 is a little less."""
    assert num_kept(whole * tenths, tenths / 10) == 10 * whole


@given(st.integers(1, 10_000), st.floats(1.5, 100))
def test_at_least_one_is_kept(reported: int, reduction: float) -> None:
    assert 1 <= num_kept(reported, reduction) <= max(1, reported / reduction + 1e-6)
