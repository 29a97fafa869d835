"""The matched control against the multiset that it must see, and against what a uniform order would be."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import SleepPlan, plan_budget
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.sleep.matched_stream import MatchedStream
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.stream import Replay, SleepStream
from tests.sleep.corpora import of_words, packed, play, reopened


def plan_of(samples: Samples, budget_words: int, *, batch_size: int = 4) -> SleepPlan:
    sizes: dict[str, Any] = {
        "corpus_words": samples.num_words,
        "num_samples": len(samples),
        "batch_size": batch_size,
        "folds": 1,
    }
    return replace(plan_budget(**sizes, budget_words=budget_words, length_ratio=0), matched=True)


def matched(
    samples: Samples, exposures: Any, *, budget_words: int = 10**6, context: str = "keep", seed: int = 3, **sizes: int
) -> MatchedStream:
    counts = np.asarray(exposures, np.int32)
    return MatchedStream(samples, plan_of(samples, budget_words, **sizes), counts, context=context, seed=seed)


def rows_of(batches: list[Batch]) -> list[int]:
    """Samples of whole rows, in order."""
    return [row for batch in batches for row in batch.sample_ids.max(axis=1).tolist()]


@st.composite
def parents(draw: st.DrawFn) -> tuple[Samples, SleepStream]:
    """A run with sleep, over a corpus of any size."""
    words = np.array(draw(st.lists(st.integers(0, 30), min_size=1, max_size=40)))
    words[0] += 1
    samples = of_words(words)
    batch_size = draw(st.integers(1, 9))
    plan = plan_budget(
        corpus_words=samples.num_words,
        num_samples=len(words),
        batch_size=batch_size,
        folds=draw(st.integers(1, -(-len(words) // batch_size))),
        budget_passes=draw(st.integers(10, 60)) / 10,
        length_passes=1.0,
    )
    return samples, SleepStream(samples, plan, Replay(ratio=draw(st.floats(0.01, 1))), context="keep", seed=3)


@given(parents())
@settings(max_examples=60)
def test_a_matched_run_sees_the_samples_and_words_of_its_parent_in_as_many_updates(
    run: tuple[Samples, SleepStream],
) -> None:
    samples, parent = run
    before = list(play(parent))
    plan = parent.plan
    stream = matched(samples, parent.history.times_seen, budget_words=plan.budget_words, batch_size=plan.batch_size)
    batches = list(play(stream))
    assert Counter(rows_of(batches)) == Counter(rows_of(before))
    assert stream.words_seen == parent.words_seen == sum(batch.words for batch in batches)
    assert stream.history.times_seen.tolist() == parent.history.times_seen.tolist()
    assert abs(len(batches) - len(before)) <= 1 + parent.cycle
    assert {batch.phase for batch in batches} <= {"wake"}
    assert [batch.index for batch in batches] == list(range(stream.num_batches))


@pytest.mark.parametrize("context", CONTEXTS)
def test_every_exposure_is_begun_once_in_any_context(context: str) -> None:
    samples = packed(30, 9, padded=context == "shuffle")
    exposures = np.random.default_rng(0).integers(0, 7, 30)
    stream = matched(samples, exposures, context=context)
    words = sum(batch.words for batch in play(stream))
    assert stream.history.times_seen.tolist() == exposures.tolist()
    assert words == int((samples.words * exposures).sum())


def test_the_order_is_uniform() -> None:
    """Sample 0 twice, samples 1 and 2 once: 12 orders, each as frequent as the others (chi-square, 11 degrees)."""
    samples = of_words(np.ones(3, int))
    draws = 6000
    seen = Counter(tuple(rows_of(list(play(matched(samples, [2, 1, 1], seed=seed))))) for seed in range(draws))
    assert len(seen) == 12
    expected = draws / 12
    assert sum((count - expected) ** 2 / expected for count in seen.values()) < 31.3, "above in 1 of 1000 such tests"


def test_a_batch_that_exceeds_the_budget_ends_the_run() -> None:
    stream = matched(of_words(np.full(8, 5)), np.full(8, 3), budget_words=101)
    batches = list(play(stream))
    assert stream.words_seen == 100
    assert len(batches) == 5
    assert stream.next_batch() is None


def test_place_is_that_of_epochs() -> None:
    """A part of N exposures counts as a pass of one fold."""
    stream = matched(packed(10, 6), np.full(10, 2), batch_size=4)
    places = [
        (batch.pass_index, batch.cycle, batch.fold, stream.pass_index, stream.fold, stream.folds, len(batch.input_ids))
        for batch in play(stream)
    ]
    assert places == [(index, index, 0, index, 0, 1, size) for index in (0, 1) for size in (4, 4, 2)]
    assert stream.read_ratio == 1
    assert not stream.needs_scores
    assert stream.take_sleep_records() == []


@pytest.mark.parametrize("context", CONTEXTS)
def test_restored_at_every_step_is_never_stopped(context: str) -> None:
    samples = packed(30, 9)
    exposures = np.random.default_rng(1).integers(0, 5, 30)
    straight = list(play(matched(samples, exposures, context=context)))
    stream, restored = matched(samples, exposures, context=context), []
    while (batch := stream.next_batch()) is not None:
        restored.append(batch)
        seen = stream.history.times_seen
        stream = reopened(stream, matched(samples, exposures, context=context))
        assert stream.history.times_seen.tolist() == seen.tolist()
    assert len(straight) == len(restored) > 10
    for one, other in zip(straight, restored, strict=True):
        assert np.array_equal(one.input_ids, other.input_ids)
        assert np.array_equal(one.sample_ids, other.sample_ids)
        assert (one.index, one.pass_index, one.words) == (other.index, other.pass_index, other.words)


def test_another_number_of_samples_is_refused() -> None:
    samples = packed(12, 6)
    with pytest.raises(ValueError, match=r"11 samples.* 12"):
        matched(samples, np.ones(11))
    with pytest.raises(ValueError, match=r"12 samples.* 10"):
        matched(packed(10, 6), np.ones(10)).load_state_dict(matched(samples, np.ones(12)).state_dict())


def test_each_part_is_cut_anew() -> None:
    """Parts of one sample have one order; where its ring of tokens begins is drawn for each part."""
    batches = list(play(matched(packed(1, 30), [8], context="repack")))
    assert len({tuple(batch.input_ids[0].tolist()) for batch in batches}) > 1
