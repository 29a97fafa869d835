import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep.folds import pass_order, split_folds


@given(st.integers(1, 400), st.integers(0, 9), st.integers(0, 9))
def test_a_pass_reads_every_sample_once(num_samples: int, seed: int, pass_index: int) -> None:
    order = pass_order(num_samples, seed=seed, pass_index=pass_index)
    assert sorted(order.tolist()) == list(range(num_samples))


def test_passes_differ_and_come_back() -> None:
    first, second = (pass_order(100, seed=0, pass_index=index) for index in (0, 1))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, pass_order(100, seed=0, pass_index=0))
    assert not np.array_equal(first, pass_order(100, seed=1, pass_index=0))


@given(st.data())
def test_folds_partition_the_batches_and_differ_by_at_most_one(data: st.DataObject) -> None:
    num_batches = data.draw(st.integers(1, 5000))
    folds = data.draw(st.integers(1, num_batches))
    bounds = split_folds(num_batches, folds)
    sizes = np.diff(bounds)
    assert (bounds[0], bounds[-1], len(sizes)) == (0, num_batches, folds)
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("folds", [0, 4, -1])
def test_more_folds_than_batches_are_refused(folds: int) -> None:
    with pytest.raises(ValueError, match=r"folds must be in \[1, 3\].*got " + str(folds)):
        split_folds(3, folds)
