import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep.budget import plan_budget
from sleep_tune.sleep.wake_pass import WakePass, pass_order, split_folds
from tests.sleep.corpora import of_words


@given(st.data())
def test_folds_of_a_pass_partition_its_samples_and_its_words(data: st.DataObject) -> None:
    words = np.array(data.draw(st.lists(st.integers(1, 50), min_size=1, max_size=100)))
    batch_size = data.draw(st.integers(1, 20))
    batches = -(-len(words) // batch_size)
    folds = data.draw(st.integers(1, batches))
    samples = of_words(words)
    plan = plan_budget(
        corpus_words=samples.num_words,
        num_samples=len(words),
        batch_size=batch_size,
        folds=folds,
        budget_passes=1,
        length_ratio=0,
    )
    wake_pass = WakePass(samples, plan, seed=2, pass_index=1)
    parts = [wake_pass.rows(*bounds) for bounds in zip(wake_pass.bounds, wake_pass.bounds[1:], strict=False)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(words)))
    batches_read = [wake_pass.rows(index, index + 1) for index in range(batches)]
    assert [len(rows) for rows in batches_read[:-1]] == [batch_size] * (batches - 1)
    assert wake_pass.words.tolist() == [int(words[rows].sum()) for rows in batches_read]
    assert sum(wake_pass.words) == samples.num_words


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
