"""The law of planned looks: against the normal law for many seeds, and against simulation for few."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.statistics.group_sequential import planned_law

DRAWS = 100_000


def nominal_p(counts: tuple[int, ...]) -> np.ndarray:
    """Return (K, N) the two-sided p of the t test at each look, without a true difference."""
    values = np.random.default_rng(0).standard_normal((DRAWS, counts[-1]))
    return np.array([scipy.stats.ttest_1samp(values[:, :count], 0, axis=1).pvalue for count in counts])


@pytest.mark.parametrize(
    ("counts", "increments"),
    [
        ((5, 8, 12), (0.27, 0.27, 0.46)),
        ((4, 7, 11), (0.01, 0.3, 0.69)),
        ((2, 3, 4, 5), (0.1, 0.2, 0.3, 0.4)),
        ((3, 20), (0.5, 0.5)),
    ],
)
@pytest.mark.parametrize("level", [0.5, 0.05, 0.0125])
def test_each_look_spends_its_share(counts: tuple[int, ...], increments: tuple[float, ...], level: float) -> None:
    law, alive = planned_law(counts, increments), np.ones(DRAWS, dtype=bool)
    for look, nominal in enumerate(nominal_p(counts)):
        crossed = alive & (nominal < law.nominal(look, level))
        spent = level * increments[look]
        assert crossed.mean() == pytest.approx(spent, abs=4.5 * math.sqrt(spent / DRAWS))
        alive &= ~crossed


def test_bounds_of_many_seeds_are_those_of_the_normal_law() -> None:
    law = planned_law((50, 100, 200), (0.25, 0.25, 0.5))
    bounds = [scipy.stats.norm.isf(law.nominal(look, 0.05) / 2) for look in range(3)]
    correlation = np.sqrt(np.minimum.outer([1.0, 2.0, 4.0], [1.0, 2.0, 4.0]) / np.maximum.outer([1, 2, 4], [1, 2, 4]))
    for looks, spent in ((2, 0.025), (3, 0.05)):
        inside = scipy.stats.multivariate_normal(np.zeros(looks), correlation[:looks, :looks]).cdf(
            np.array(bounds[:looks]), lower_limit=-np.array(bounds[:looks])
        )
        assert 1 - inside == pytest.approx(spent, rel=0.01)


@given(st.integers(0, 2), st.floats(1e-7, 0.99))
def test_p_at_a_bound_is_the_level(look: int, level: float) -> None:
    law = planned_law((5, 8, 12), (0.25, 0.3, 0.45))
    assert law.p(look, law.nominal(look, level)) == pytest.approx(level, rel=1e-6)


@given(st.integers(0, 2), st.floats(0, 1), st.floats(0, 1))
def test_stronger_evidence_never_has_a_larger_p(look: int, first: float, second: float) -> None:
    law = planned_law((5, 8, 12), (0.25, 0.3, 0.45))
    low, high = sorted((first**4, second**4))
    assert low <= law.p(look, low) <= law.p(look, high) + 1e-12


def test_the_first_look_is_exact() -> None:
    law = planned_law((5, 8), (0.4, 0.6))
    assert law.p(0, 0.01) == 0.01 / 0.4
    assert planned_law((5,), (1.0,)).p(0, 0.0312345) == 0.0312345
