import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.errors import Diverged, ScoresMissing
from sleep_tune.sleep.memory import Memory


def reading(*samples: int, num_samples: int = 6) -> tuple[Memory, np.ndarray]:
    """A memory that read those samples, and they."""
    memory = Memory(num_samples)
    ids = np.array(samples, np.int32)
    memory.read(ids, has_text=np.ones(len(ids), np.bool_))
    return memory, ids


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 20), st.integers(1, 9)), min_size=1), st.data())
def test_a_score_is_the_mean_over_predicted_positions_in_whatever_pieces(
    entries: list[tuple[int, float, int]], data: st.DataObject
) -> None:
    ids, losses, counts = (np.array(column) for column in zip(*entries, strict=True))
    cut = data.draw(st.integers(0, len(entries)))
    scores = []
    for pieces in ([slice(None)], [slice(cut), slice(cut, None)]):
        memory, samples = reading(*range(6))
        memory.observe(np.arange(6), np.ones(6), np.ones(6))
        for piece in pieces:
            memory.observe(ids[piece], losses[piece], counts[piece])
        memory.settle(samples, cycle=3)
        scores.append(memory.scores)
    assert np.array_equal(scores[0], scores[1])
    for sample in range(6):
        mine = ids == sample
        assert scores[0][sample] == np.float32((1 + losses[mine].sum()) / (1 + counts[mine].sum())) or scores[0][
            sample
        ] == pytest.approx((1 + losses[mine].sum()) / (1 + counts[mine].sum()), rel=1e-6)


def test_settling_needs_every_sample_and_changes_nothing_until_it_can() -> None:
    memory, samples = reading(1, 4, 2)
    memory.observe([4], [3.0], [2])
    assert memory.num_missing(samples) == 2
    with pytest.raises(ScoresMissing, match="cycle 5: 2 of 3 samples read awake have no score yet"):
        memory.settle(samples, 5)
    assert memory.last_read.tolist() == [-1] * 6
    memory.observe([1, 2, 1], [1.0, 5.0, 2.0], [1, 1, 1])
    memory.settle(samples, 5)
    assert memory.scores.tolist() == [0, 1.5, 5, 0, 1.5, 0]
    assert memory.last_read.tolist() == [-1, 5, 5, -1, 5, -1]


def test_a_second_reading_replaces_the_score() -> None:
    memory, samples = reading(0)
    memory.observe([0], [8.0], [2])
    memory.settle(samples, 0)
    memory.read(samples, has_text=np.ones(1, np.bool_))
    memory.observe([0], [1.0], [1])
    memory.settle(samples, 7)
    assert (memory.scores[0], memory.last_read[0], memory.times_seen[0]) == (1, 7, 2)


def test_a_sample_without_text_needs_no_loss_and_scores_nothing() -> None:
    """The last row of a corpus may hold a lone separator."""
    memory = Memory(3)
    samples = np.array([0, 2], np.int32)
    memory.read(samples, has_text=np.array([True, False]))
    memory.observe([0], [4.0], [1])
    memory.settle(samples, 0)
    assert memory.scores.tolist() == [4, 0, 0]


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_a_divergence(loss: float) -> None:
    memory, samples = reading(1)
    memory.observe([1], [loss], [1])
    with pytest.raises(Diverged, match="cycle 2: the loss of a sample read awake is not finite"):
        memory.settle(samples, 2)


@pytest.mark.parametrize(
    ("ids", "losses", "counts", "message"),
    [
        ([1, 2], [1.0], [1], r"three 1-D arrays of one length; got shapes \(2,\), \(1,\), \(1,\)"),
        ([[1]], [[1.0]], [[1]], r"three 1-D arrays"),
        ([6], [1.0], [1], r"sample ids must be in \[0, 6\); got 6 to 6"),
        ([-1, 1], [1.0, 1.0], [1, 1], r"got -1 to 1"),
        ([1, 3], [1.0, 1.0], [1, 1], "sample 3 is not of the fold being read"),
    ],
)
def test_losses_that_nobody_awaits_are_refused(
    ids: list[int], losses: list[float], counts: list[int], message: str
) -> None:
    memory, samples = reading(1, 2)
    with pytest.raises(ValueError, match=message):
        memory.observe(ids, losses, counts)
    assert memory.num_missing(samples) == 2


def test_no_losses_are_no_mistake() -> None:
    memory, samples = reading(1)
    memory.observe(np.empty(0, np.int32), np.empty(0), np.empty(0, np.int32))
    assert memory.num_missing(samples) == 1


def test_a_memory_restored_goes_on() -> None:
    memory, samples = reading(1, 2)
    memory.observe([1], [0.1], [3])
    memory.replay(np.array([2, 2, 5], np.int32))
    other = Memory(6)
    other.load_state_dict(memory.state_dict(samples), samples)
    for one in (memory, other):
        one.observe([1, 2], [0.2, 0.3], [4, 1])
        one.settle(samples, 0)
    assert np.array_equal(memory.scores, other.scores)
    assert other.times_seen.tolist() == memory.times_seen.tolist() == [0, 1, 3, 0, 0, 1]


def test_the_state_of_another_corpus_is_refused() -> None:
    memory, samples = reading(1, 2)
    with pytest.raises(ValueError, match="the state is of 6 samples, 2 of them awaited; this run has 5 and 2"):
        Memory(5).load_state_dict(memory.state_dict(samples), samples)
