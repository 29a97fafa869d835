"""Runs in which no sample is seen more often than a limit."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import BudgetError, ConfigError
from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import plan_budget
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.sleep.interleaved_stream import InterleavedStream
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.selection import STRATEGIES
from sleep_tune.sleep.stream import Replay, SleepStream
from tests.messages import raises_naming
from tests.sleep.corpora import losses_of, of_words, packed, play, reopened


def limited(samples: Samples, most: int | None, *, context: str = "keep", **given: Any) -> SleepStream:
    """4 folds of batches of 4, a budget of 5 passes and one of them awake, unless given."""
    options = {name: given.pop(name) for name in ("strategy", "scope", "ratio", "refresh") if name in given}
    length = {} if any(key.startswith("length") for key in given) else {"length_passes": 1.0}
    sizes = {"batch_size": 4, "folds": 4, "budget_passes": 5.0, "max_exposures": most} | length | given
    replay = Replay(max_exposures=most, **options)
    shape: dict[str, Any] = {"replay_ratio": replay.ratio, "replay_scope": replay.scope}
    plan = plan_budget(corpus_words=samples.num_words, num_samples=len(samples), **sizes, **shape)
    kind = InterleavedStream if plan.interleave else SleepStream
    return kind(samples, plan, replay, context=context, seed=3)


@given(st.data())
@settings(max_examples=150)
def test_no_sample_is_seen_more_often_and_the_budget_is_spent(data: st.DataObject) -> None:
    words = np.array(data.draw(st.lists(st.integers(1, 30), min_size=2, max_size=60)))
    samples, batch_size = of_words(words), data.draw(st.integers(1, 9))
    passes = data.draw(st.integers(1, 6))
    readings = data.draw(st.integers(1, passes))
    most = passes + data.draw(st.integers(0, 3))
    stream = limited(
        samples,
        most,
        strategy=data.draw(st.sampled_from(sorted(STRATEGIES))),
        ratio=data.draw(st.floats(0.01, 1)),
        batch_size=batch_size,
        folds=data.draw(st.integers(1, -(-len(words) // batch_size))),
        budget_passes=float(passes),
        length_passes=float(readings),
        interleave=data.draw(st.booleans()) and 1 < readings < passes,
    )
    plan = stream.plan
    counts = np.zeros(len(words), int)
    for batch in play(stream):
        rows = batch.sample_ids.max(axis=1)
        np.add.at(counts, rows, 1)
        assert counts.max() <= most
        assert len(rows) <= batch_size
    assert stream.history.times_seen.tolist() == counts.tolist()
    assert stream.words_seen <= plan.budget_words
    if not plan.interleave:
        assert plan.budget_words - stream.words_seen <= batch_size * int(words.max())
    assert all(record.buffer_size <= record.candidates for record in stream.take_sleep_records())


def test_at_the_tightest_limit_every_sample_is_seen_equally_often() -> None:
    """The first sleep alone would replay each sample of its buffer 13 times."""
    samples = of_words(np.full(40, 7))
    free, tight = limited(samples, None, ratio=0.3), limited(samples, 5, ratio=0.3)
    for stream in (free, tight):
        assert sum(1 for _ in play(stream)) >= 50
    assert free.history.times_seen.max() > 12
    assert free.plan.largest_exposures is not None
    assert free.history.times_seen.max() <= free.plan.largest_exposures
    assert tight.history.times_seen.tolist() == [5] * 40
    records = tight.take_sleep_records()
    assert [record.cycle for record in records] == sorted(record.cycle for record in records)
    assert len(records) > len({record.cycle for record in records}) == 4, "a buffer that is exhausted is chosen anew"


def test_a_limit_that_never_binds_changes_nothing() -> None:
    samples = packed(30, 8)
    free, limit = (list(play(limited(samples, most, context="repack"))) for most in (None, 10**6))
    assert [batch.input_ids.tolist() for batch in free] == [batch.input_ids.tolist() for batch in limit]


def test_a_small_reference_agrees() -> None:
    """The hardest samples under the limit are replayed until they reach it; then the hardest of the others."""
    samples, most, ratio = of_words(np.ones(24, int)), 4, 0.5
    stream = limited(samples, most, strategy="strict", ratio=ratio, folds=2, budget_passes=4.0, batch_size=3)
    seen, scores = np.zeros(24, int), np.zeros(24)
    new: dict[int, float] = {}
    left: list[int] = []  # samples of the buffer that are still to come in this pass over it
    buffer: list[int] = []
    known: list[int] = []
    for batch in play(stream):
        rows = batch.sample_ids.max(axis=1).tolist()
        if batch.phase == "wake":
            ids, sums, *_ = losses_of(batch)
            new |= dict(zip(ids.tolist(), sums.astype(float).tolist(), strict=True))
            left, buffer = [], []
        elif new:
            known += list(new)
            scores[list(new)], new = list(new.values()), {}
        for row in rows if batch.phase == "sleep" else ():
            if not left:
                buffer = [sample for sample in buffer if seen[sample] < most]
                if not buffer:
                    under = sorted((s for s in known if seen[s] < most), key=lambda s: -np.float32(scores[s]))
                    buffer = under[: int(ratio * len(known))]
                left = list(buffer)
            left.remove(row)  # each once in a pass, and no other
            seen[row] += 1
        if batch.phase == "wake":
            seen[rows] += 1
    assert seen.tolist() == stream.history.times_seen.tolist() == [4] * 24


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("interleave", [False, True])
def test_restored_at_every_step_is_never_stopped(interleave: bool, context: str) -> None:
    samples = packed(36, 9)

    def run(*, reopen: bool) -> tuple[list[Batch], list[Any]]:
        def make() -> SleepStream:
            return limited(samples, 6, context=context, interleave=interleave, ratio=0.4, refresh=0.5)

        stream, batches = make(), []
        while (batch := stream.next_batch()) is not None:
            batches.append(batch)
            stream.observe(*losses_of(batch))
            if reopen:
                stream = reopened(stream, make())
        return batches, stream.take_sleep_records()

    straight, restored = run(reopen=False), run(reopen=True)
    assert len(straight[1]) > 4
    assert [batch.input_ids.tolist() for batch in straight[0]] == [batch.input_ids.tolist() for batch in restored[0]]
    assert straight[1] == restored[1]


def test_limits_that_cannot_hold_the_budget_are_refused() -> None:
    samples = packed(36, 9)
    with raises_naming(BudgetError, "sleep.replay.max_exposures", "at least 5", "got 4"):
        limited(samples, 4)
    with raises_naming(BudgetError, "sleep.replay.max_exposures", "at least 5", "got 4"):
        limited(samples, 4, length_ratio=0)
    with raises_naming(BudgetError, "at least 6", "got 5"):  # up to 4 readings, and 5/3 replays on average
        limited(samples, 5, length_ratio=0.5)
    with raises_naming(ConfigError, "sleep.replay.max_exposures", "got 0"):
        Replay(max_exposures=0)


@pytest.mark.parametrize("length", [{"length_ratio": 1.5}, {"length_passes": 1.0}, {"length_repeats": 2.0}])
@pytest.mark.parametrize("scope", ["seen", "fold"])
def test_the_largest_number_of_exposures_is_about_that_of_a_sample_in_every_buffer(
    length: dict[str, Any], scope: str
) -> None:
    """Of equal folds and rows; the hardest samples stay the hardest."""
    samples = of_words(np.ones(400, int))
    stream = limited(samples, None, strategy="strict", scope=scope, ratio=0.25, folds=10, **length)
    while (batch := stream.next_batch()) is not None:
        if batch.phase == "wake":
            ids = batch.sample_ids.max(axis=1)
            stream.observe(ids, ids + 1.0, np.ones(len(ids)))
    assert stream.plan.largest_exposures is not None
    assert 0.3 <= stream.history.times_seen.max() / stream.plan.largest_exposures <= 1.2
