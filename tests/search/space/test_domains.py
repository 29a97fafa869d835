"""What a domain contains is what is listed, what is drawn, and what a sampler is offered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.search.space.domains import contains, nearest, num_values, value_at, value_of_index
from sleep_tune.search.space.search_space import Choice, Domain, Int, LogUniform, Uniform

RANGES = (Int(1, 9), Int(2, 12, 5), Int(1, 512, log=True), Uniform(-1, 2), Uniform(0, 1, 0.1), LogUniform(1e-4, 0.1))
DOMAINS: tuple[Domain, ...] = (*RANGES, Choice(("x", 1, True, None)))
SHARES = st.floats(0, 1, exclude_max=True)


def test_what_a_domain_contains() -> None:
    assert contains(Choice((1, "x", True)), "x")
    assert not contains(Choice((1,)), True)
    assert not contains(Choice((False,)), 0)
    assert contains(Int(1, 3), 3)
    assert not any(contains(Int(1, 3), value) for value in (0, 4, 2.0, True, "2", None))
    for reals in (Uniform(1, 3), LogUniform(1, 3)):
        assert contains(reals, 1)
        assert not any(contains(reals, value) for value in (0.9, 3.1, float("nan"), True, "2", None))
    assert [number for number in range(20) if contains(Int(2, 12, 5), number)] == [2, 7, 12]
    assert contains(Uniform(0, 1, 0.1), 0.3)
    assert not any(contains(Uniform(0, 1, 0.1), value) for value in (0.35, 0.1 + 0.2, 1.1, float("nan"), True))


def test_steps_are_as_they_are_written() -> None:
    """A tenth is no binary fraction: 0.1 + 0.2 would be another value than 0.3."""
    tenths = Uniform(0, 1, 0.1)
    listed = [value_of_index(tenths, index) for index in range(num_values(tenths) or 0)]
    assert listed == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert nearest(tenths, 0.1 + 0.2) == 0.3
    assert (nearest(Int(2, 12, 5), 9.4), nearest(Int(2, 12, 5), 99)) == (7, 12)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@given(share=SHARES)
def test_the_value_at_any_share_is_in_the_domain(domain: Domain, share: float) -> None:
    assert contains(domain, value_at(domain, share))


@pytest.mark.parametrize("domain", RANGES, ids=str)
@given(one=SHARES, other=SHARES)
def test_values_rise_with_the_share(domain: Int | Uniform | LogUniform, one: float, other: float) -> None:
    low, high = (value_at(domain, share) for share in sorted((one, other)))
    assert low <= high  # type: ignore[operator]
    assert (value_at(domain, 0.0), value_at(domain, 1 - 2**-53)) == pytest.approx((domain.low, domain.high))


@given(st.integers(-9, 9), st.integers(1, 400), st.integers(1, 9), st.integers(0, 4))
def test_each_value_of_a_stepped_range_has_the_same_share(low: int, steps: int, step: int, digits: int) -> None:
    """And is its own nearest value, with any number of decimal digits."""
    scale = 10**digits
    domain = Uniform(low / scale, (low + steps * step) / scale, step / scale)
    assert num_values(domain) == steps + 1
    for index in {0, 1, steps // 2, steps}:
        value = value_of_index(domain, index)
        assert value == (low + index * step) / scale
        assert contains(domain, value)
        assert value_at(domain, (index + 0.5) / (steps + 1)) == value


def test_logarithmic_whole_numbers() -> None:
    """Each octave has about the same chance, as for real numbers."""
    drawn = [value_at(Int(1, 256, log=True), (index + 0.5) / 4000) for index in range(4000)]
    assert set(drawn) == set(range(1, 257))
    below = sum(isinstance(value, int) and value <= 16 for value in drawn) / 4000
    assert below == pytest.approx(0.56, abs=0.03)  # of the logarithms from 0.5 to 256.5, those up to 16.5


def test_a_range_of_real_numbers_has_no_number_of_values() -> None:
    assert num_values(Uniform(0, 1)) is num_values(LogUniform(1, 2)) is None
    with pytest.raises(ValueError, match="cannot be listed"):
        value_of_index(Uniform(0, 1), 0)
