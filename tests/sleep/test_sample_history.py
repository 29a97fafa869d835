import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.errors import Diverged, ScoresMissing
from sleep_tune.sleep.sample_history import SampleHistory


def history_of(*samples: int, num_samples: int = 6) -> tuple[SampleHistory, np.ndarray]:
    """A history in which those samples were read, and the samples."""
    history = SampleHistory(num_samples)
    ids = np.array(samples, np.int32)
    history.mark_read(ids, has_text=np.ones(len(ids), np.bool_))
    return history, ids


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 20), st.integers(1, 9)), min_size=1), st.data())
def test_a_score_is_the_mean_over_predicted_positions_in_whatever_pieces(
    entries: list[tuple[int, float, int]], data: st.DataObject
) -> None:
    ids, losses, counts = (np.array(column) for column in zip(*entries, strict=True))
    cut = data.draw(st.integers(0, len(entries)))
    scores = []
    for pieces in ([slice(None)], [slice(cut), slice(cut, None)]):
        history, samples = history_of(*range(6))
        history.add_losses(np.arange(6), np.ones(6), np.ones(6))
        for piece in pieces:
            history.add_losses(ids[piece], losses[piece], counts[piece])
        history.update_scores(samples, cycle=3)
        scores.append(history.scores)
    assert np.array_equal(scores[0], scores[1])
    for sample in range(6):
        mine = ids == sample
        assert scores[0][sample] == np.float32((1 + losses[mine].sum()) / (1 + counts[mine].sum())) or scores[0][
            sample
        ] == pytest.approx((1 + losses[mine].sum()) / (1 + counts[mine].sum()), rel=1e-6)


def test_settling_needs_every_sample_and_changes_nothing_until_it_can() -> None:
    history, samples = history_of(1, 4, 2)
    history.add_losses([4], [3.0], [2])
    assert history.count_missing(samples) == 2
    with pytest.raises(ScoresMissing, match="cycle 5: 2 of 3 samples"):
        history.update_scores(samples, 5)
    assert history.last_read.tolist() == [-1] * 6
    history.add_losses([1, 2, 1], [1.0, 5.0, 2.0], [1, 1, 1])
    history.update_scores(samples, 5)
    assert history.scores.tolist() == [0, 1.5, 5, 0, 1.5, 0]
    assert history.last_read.tolist() == [-1, 5, 5, -1, 5, -1]


def test_a_second_reading_replaces_the_score() -> None:
    history, samples = history_of(0)
    history.add_losses([0], [8.0], [2])
    history.update_scores(samples, 0)
    history.mark_read(samples, has_text=np.ones(1, np.bool_))
    history.add_losses([0], [1.0], [1])
    history.update_scores(samples, 7)
    assert (history.scores[0], history.last_read[0], history.times_seen[0]) == (1, 7, 2)


def test_a_sample_without_text_needs_no_loss_and_scores_nothing() -> None:
    """The last row of a corpus may hold a lone separator."""
    history = SampleHistory(3)
    samples = np.array([0, 2], np.int32)
    history.mark_read(samples, has_text=np.array([True, False]))
    history.add_losses([0], [4.0], [1])
    history.update_scores(samples, 0)
    assert history.scores.tolist() == [4, 0, 0]


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_a_divergence(loss: float) -> None:
    history, samples = history_of(1)
    history.add_losses([1], [loss], [1])
    with pytest.raises(Diverged, match=r"cycle 2: .* not finite"):
        history.update_scores(samples, 2)


@pytest.mark.parametrize(
    ("ids", "losses", "counts", "message"),
    [
        ([1, 2], [1.0], [1], r"shapes \(2,\), \(1,\), \(1,\)"),
        ([[1]], [[1.0]], [[1]], r"1-D"),
        ([6], [1.0], [1], r"\[0, 6\); got 6 to 6"),
        ([-1, 1], [1.0, 1.0], [1, 1], r"got -1 to 1"),
        ([1, 3], [1.0, 1.0], [1, 1], "sample 3 "),
    ],
)
def test_unexpected_losses_are_refused(ids: list[int], losses: list[float], counts: list[int], message: str) -> None:
    history, samples = history_of(1, 2)
    with pytest.raises(ValueError, match=message):
        history.add_losses(ids, losses, counts)
    assert history.count_missing(samples) == 2


def test_no_losses_are_no_mistake() -> None:
    history, samples = history_of(1)
    history.add_losses(np.empty(0, np.int32), np.empty(0), np.empty(0, np.int32))
    assert history.count_missing(samples) == 1


def test_a_restored_history_continues() -> None:
    history, samples = history_of(1, 2)
    history.add_losses([1], [0.1], [3])
    history.mark_replayed(np.array([2, 2, 5], np.int32))
    other = SampleHistory(6)
    other.load_state_dict(history.state_dict(samples), samples)
    for one in (history, other):
        one.add_losses([1, 2], [0.2, 0.3], [4, 1])
        one.update_scores(samples, 0)
    assert np.array_equal(history.scores, other.scores)
    assert other.times_seen.tolist() == history.times_seen.tolist() == [0, 1, 3, 0, 0, 1]


def test_the_state_of_another_corpus_is_refused() -> None:
    history, samples = history_of(1, 2)
    with pytest.raises(ValueError, match=r"6 samples, 2 .* 5 and 2"):
        SampleHistory(5).load_state_dict(history.state_dict(samples), samples)
