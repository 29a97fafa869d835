"""Evidence that is read look by look: against scipy at one look, and its size under ways of looking."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.statistics.fixed_sample import equivalence_p, paired_difference
from sleep_tune.statistics.schedule import Schedule
from sleep_tune.statistics.sequential import sequential_difference, sequential_equivalence

PLANNED = Schedule((5, 8, 12))
LOOKS = (1,) * 5 + (2,) * 3 + (3,) * 4 + (4,) * 8


@given(st.integers(2, 20), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.1]))
def test_one_look_is_the_paired_t_test(count: int, seed: int, reserve: float) -> None:
    treated, reference = np.random.default_rng(seed).normal(size=(2, count))
    schedule = Schedule((count,), reserve)
    found = sequential_difference(treated - reference, (1,) * count, schedule, 1)
    theirs = scipy.stats.ttest_rel(treated, reference)
    assert found.look == 1
    assert found.difference.p == pytest.approx(float(theirs.pvalue), rel=1e-12)
    interval = theirs.confidence_interval(1 - schedule.level)
    assert (found.difference.low, found.difference.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    margin = float(abs(reference[0])) + 0.1
    equal = sequential_equivalence(treated - reference, (1,) * count, schedule, 1, margin)
    assert equal == pytest.approx(equivalence_p(paired_difference(treated, reference), margin), rel=1e-12)
