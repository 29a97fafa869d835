"""Schedules: shares of the peak rate over shares of the budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.training.schedules import SCHEDULES

SHARES = st.floats(0, 1)


@pytest.mark.parametrize("name", SCHEDULES)
@given(share=SHARES, warmup=st.floats(0, 0.99), cooldown=st.floats(0.01, 1))
def test_a_rate_is_a_share_of_the_peak(name: str, share: float, warmup: float, cooldown: float) -> None:
    assert -1e-9 <= SCHEDULES[name](share, warmup=warmup, cooldown=cooldown) <= 1 + 1e-9


@pytest.mark.parametrize("name", SCHEDULES)
def test_it_rises_from_nothing_to_the_peak_and_falls_to_nothing_or_stays(name: str) -> None:
    def rate(share: float) -> float:
        return SCHEDULES[name](share, warmup=0.1, cooldown=0.2)

    assert rate(0) == 0
    assert rate(0.05) == pytest.approx(0.5)
    assert rate(0.1) == pytest.approx(1)
    assert rate(1) == pytest.approx(1 if name == "constant" else 0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_without_warm_up_it_begins_at_the_peak(name: str) -> None:
    assert SCHEDULES[name](0.0, warmup=0.0, cooldown=0.2) == 1


def test_half_way_through_the_decay() -> None:
    assert SCHEDULES["linear"](0.55, warmup=0.1, cooldown=0.2) == pytest.approx(0.5)
    assert SCHEDULES["cosine"](0.55, warmup=0.1, cooldown=0.2) == pytest.approx(0.5)
    assert SCHEDULES["cosine"](0.325, warmup=0.1, cooldown=0.2) == pytest.approx(0.5 + 0.25 * 2**0.5)
    assert SCHEDULES["wsd"](0.55, warmup=0.1, cooldown=0.2) == 1
    assert SCHEDULES["constant"](0.55, warmup=0.1, cooldown=0.2) == 1
    assert SCHEDULES["wsd"](0.9, warmup=0.1, cooldown=0.2) == pytest.approx(0.5)


@pytest.mark.parametrize("name", SCHEDULES)
@given(shares=st.tuples(SHARES, SHARES), warmup=st.floats(0, 0.5))
def test_it_never_rises_again(name: str, shares: tuple[float, float], warmup: float) -> None:
    earlier, later = (max(share, warmup) for share in sorted(shares))
    rate = SCHEDULES[name]
    assert rate(later, warmup=warmup, cooldown=0.2) <= rate(earlier, warmup=warmup, cooldown=0.2) + 1e-9
