"""Scores that replays refresh, beside a slow account of every loss."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.errors import Diverged
from sleep_tune.sleep.refresh import Refresh
from sleep_tune.sleep.sample_history import SampleHistory

SAMPLES = 4
losses = st.lists(
    st.tuples(st.integers(0, SAMPLES - 1), st.integers(0, 5), st.integers(0, 80), st.integers(1, 5)), max_size=30
).map(lambda entries: sorted(entries, key=lambda entry: entry[1]))
"""(sample, replay, sum of losses, predicted positions), in the order of replays."""


def slow_scores(
    scores: list[float], entries: list[tuple[int, int, int, int]], share: float
) -> tuple[list[Fraction], set[int]]:
    """The scores after all replays, each of which moves a score by its mean loss, and which samples were replayed."""
    result, weight = [Fraction(score) for score in scores], Fraction(share)
    for replay in range(6):
        for sample in range(SAMPLES):
            mine = [entry for entry in entries if entry[:2] == (sample, replay)]
            if mine:
                loss = Fraction(sum(entry[2] for entry in mine), sum(entry[3] for entry in mine))
                result[sample] = (1 - weight) * result[sample] + weight * loss
    return result, {entry[0] for entry in entries}


def add(refresh: Refresh, entries: list[tuple[int, int, int, int]]) -> None:
    ids, replays, sums, counts = np.array(entries, np.int64).reshape(-1, 4).T
    refresh.add(ids, sums.astype(np.float64), counts, replays)


@given(losses, st.sampled_from([0.25, 0.3, 1.0]), st.data())
def test_each_replay_moves_a_score_towards_its_loss(
    entries: list[tuple[int, int, int, int]], share: float, data: st.DataObject
) -> None:
    """In any pieces, also across a checkpoint; samples that were not replayed keep their score."""
    scores = np.array([4.0, 0.5, 3.0, 9.0], np.float32)
    previous, before = np.full(SAMPLES, 7, np.float32), scores.copy()
    cut = data.draw(st.integers(0, len(entries)))
    refresh, restored = Refresh(SAMPLES, share), Refresh(SAMPLES, share)
    add(refresh, entries[:cut])
    restored.load_state_dict(refresh.state_dict())
    add(restored, entries[cut:])
    assert np.array_equal(scores, before)
    restored.apply(scores, previous)
    wanted, replayed = slow_scores(before.tolist(), entries, share)
    assert scores.tolist() == pytest.approx([float(score) for score in wanted], rel=1e-6)
    assert previous.tolist() == [before[i] if i in replayed else 7 for i in range(SAMPLES)]
    again = scores.copy()
    restored.apply(scores, previous)
    assert np.array_equal(scores, again)


@given(losses, st.data())
def test_pieces_give_the_bits_of_the_whole(entries: list[tuple[int, int, int, int]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(entries)))
    results = []
    for pieces in ([entries], [entries[:cut], entries[cut:]]):
        scores = np.array([4.0, 0.5, 3.0, 9.0], np.float32)
        refresh = Refresh(SAMPLES, 0.3)
        for piece in pieces:
            add(refresh, [(sample, replay, total, 7 * count) for sample, replay, total, count in piece])
        refresh.apply(scores, scores.copy())
        results.append(scores)
    assert np.array_equal(results[0], results[1])


@pytest.mark.parametrize("loss", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_is_a_divergence(loss: float) -> None:
    refresh = Refresh(SAMPLES, 0.5)
    refresh.add(np.array([1]), np.array([loss]), np.array([1]), np.array([0]))
    with pytest.raises(Diverged, match="replayed"):
        refresh.apply(np.zeros(SAMPLES, np.float32), np.zeros(SAMPLES, np.float32))


def read_again(history: SampleHistory, losses: list[float], cycle: int) -> None:
    samples = np.arange(len(losses), dtype=np.int32)
    history.mark_read(samples, has_text=np.ones(len(losses), np.bool_))
    history.add_losses(samples, losses, np.ones(len(losses)))
    history.update_scores(samples, cycle)


def test_a_history_moves_scores_when_the_next_fold_is_scored() -> None:
    """First the replays, then the fold: a sample that is replayed and then read has the score of its reading."""
    history = SampleHistory(3, refresh=0.5)
    read_again(history, [4.0, 2.0], 0)
    assert history.previous.tolist() == [4, 2, 0]
    history.add_losses([0, 1, 1], [2.0, 1.0, 3.0], [1, 1, 1], [0, 0, 1])
    assert history.scores.tolist() == [4, 2, 0]
    read_again(history, [1.0], 1)
    assert history.scores.tolist() == [1, 2.25, 0]
    assert history.previous.tolist() == [3, 2, 0]
    assert history.last_read.tolist() == [1, 0, -1]


def test_losses_of_replays_are_left_out_where_nothing_is_refreshed() -> None:
    history = SampleHistory(2)
    read_again(history, [4.0, 2.0], 0)
    history.add_losses([0], [9.0], [1], [0])
    read_again(history, [], 1)
    assert history.scores.tolist() == [4, 2]
