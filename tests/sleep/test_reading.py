import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep.budget import plan_budget
from sleep_tune.sleep.reading import Reading
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
    reading = Reading(samples, plan, seed=2, pass_index=1)
    parts = [reading.rows(*bounds) for bounds in zip(reading.bounds, reading.bounds[1:], strict=False)]
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(words)))
    batches_read = [reading.rows(index, index + 1) for index in range(batches)]
    assert [len(rows) for rows in batches_read[:-1]] == [batch_size] * (batches - 1)
    assert reading.words == [int(words[rows].sum()) for rows in batches_read]
    assert sum(reading.words) == samples.num_words
