"""A stream saved and restored at EVERY step hands out the batches of one that never stopped."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from sleep_tune.sleep.budget import plan_budget
from sleep_tune.sleep.buffer import SCOPES
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.selection import STRATEGIES
from sleep_tune.sleep.sleep_record import SleepRecord
from sleep_tune.sleep.stream import Batch, Replay, SleepStream
from tests.sleep.corpora import losses_of, packed, play, reopened

LENGTHS: dict[str, dict[str, Any]] = {
    "passes": {"length_passes": 1.0},
    "ratio": {"length_ratio": 0.7},
    "repeats": {"length_repeats": 1.5},
    "epochs": {"length_ratio": 0.0},
}


def run(
    samples: Samples, replay: Replay, context: str, length: dict[str, Any], *, reopen: bool
) -> tuple[list[Batch], list[SleepRecord], list[tuple[Any, ...]]]:
    """Batches, records and places of a run whose losses arrive at once, late, or in two pieces of which one is late.

    Those of replays arrive in order: at once where none of an earlier batch is late.
    """
    plan = plan_budget(
        corpus_words=samples.num_words, num_samples=len(samples), batch_size=4, folds=3, budget_passes=3, **length
    )

    def make() -> SleepStream:
        return SleepStream(samples, plan, replay, context=context, seed=11)

    def step() -> SleepStream:
        return reopened(stream, make()) if reopen else stream

    stream = make()
    batches: list[Batch] = []
    places: list[tuple[Any, ...]] = []
    late: list[tuple[NDArray[np.generic], ...]] = []
    while True:
        stream = step()
        if stream.needs_scores:
            stream.observe(*map(np.concatenate, zip(*late, strict=True)))
            late = []
            stream = step()
        batch = stream.next_batch()
        places.append((stream.words_seen, stream.phase, stream.cycle, stream.read_ratio, stream.needs_scores))
        if batch is None:
            return batches, step().take_sleep_records(), places
        batches.append(batch)
        if stream.needs_losses(batch.phase):
            losses = losses_of(batch)
            early = batch.index % 3 == 0 and not late
            stream = step()
            if early or batch.phase == "wake":
                stream.observe(*(array if early else array[::2] for array in losses))
            if not early:
                late.append(losses)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("context", CONTEXTS)
def test_restored_at_every_step_is_never_stopped(context: str, scope: str, strategy: str, length: str) -> None:
    replay = Replay(strategy=strategy, scope=scope, ratio=0.4, alpha=2, decay=0.2)
    require_the_same(replay, context, length)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("refresh", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("context", CONTEXTS)
def test_the_same_with_every_knob_of_scores(context: str, refresh: float, length: str) -> None:
    replay = Replay(ratio=0.4, signal="progress", refresh=refresh, normalise="source", uniform=0.2, decay=0.2)
    require_the_same(replay, context, length)


def require_the_same(replay: Replay, context: str, length: str) -> None:
    """Compare a run restored at every step with one that is not."""
    samples = packed(30, 9, padded=context == "shuffle")
    straight, restored = (run(samples, replay, context, LENGTHS[length], reopen=reopen) for reopen in (False, True))
    assert len(straight[0]) == len(restored[0]) > 15
    for one, other in zip(straight[0], restored[0], strict=True):
        assert np.array_equal(one.input_ids, other.input_ids)
        assert np.array_equal(one.sample_ids, other.sample_ids)
        for name in ("phase", "index", "cycle", "pass_index", "fold", "words"):
            assert getattr(one, name) == getattr(other, name)
    assert straight[1:] == restored[1:]


def test_a_state_is_numbers_and_arrays_and_small() -> None:
    """Orders and rows are functions of the seed: a state holds 16 bytes a sample, its buffer and one fold's losses."""
    samples = packed(3000, 40)
    plan = plan_budget(
        corpus_words=samples.num_words, num_samples=3000, batch_size=32, folds=10, budget_passes=3, length_passes=1
    )
    stream = SleepStream(samples, plan, Replay(ratio=0.5), context="repack", seed=0)
    read = []
    while not stream.needs_scores:
        batch = stream.next_batch()
        assert batch is not None
        read.append(batch.sample_ids.max(axis=1))
    ids = np.concatenate(read)
    stream.observe(ids, np.ones(len(ids)), np.ones(len(ids)))
    for _ in range(3):
        state = stream.state_dict()
        assert all(isinstance(value, int | float | np.ndarray) for value in state.values())
        assert sum(np.asarray(value).nbytes for value in state.values()) < 3000 * 16 + 300 * 16 + 1000
        stream.next_batch()


def test_a_state_is_a_copy() -> None:
    stream = SleepStream(
        samples := packed(30, 9),
        plan_budget(
            corpus_words=samples.num_words, num_samples=30, batch_size=4, folds=1, budget_passes=2, length_ratio=0
        ),
        Replay(),
        context="keep",
        seed=0,
    )
    stream.next_batch()
    state = stream.state_dict()
    before = {key: np.array(value) for key, value in state.items()}
    while stream.next_batch() is not None:
        pass
    assert all(np.array_equal(before[key], state[key]) for key in state)


def test_a_state_of_an_earlier_version_is_resumed_asleep() -> None:
    """It had no limits of exposures, and so less to keep of a buffer."""
    samples = packed(40, 9)
    plan = plan_budget(
        corpus_words=samples.num_words, num_samples=40, batch_size=4, folds=4, budget_passes=3, length_ratio=1
    )
    kept, restored = (SleepStream(samples, plan, Replay(), context="keep", seed=0) for _ in range(2))
    batches = play(kept)
    while next(batches).cycle < 2 or kept.phase != "sleep":
        pass
    state = kept.state_dict()
    for key in ("previous", "buffer_cycle", "buffer_candidates", "buffer_first_pass", "sleep_rows"):
        del state[key]
    restored.load_state_dict(state)
    rest = [[batch.input_ids.tolist() for batch in play(stream)] for stream in (kept, restored)]
    assert rest[0] == rest[1] != []
    assert kept.take_sleep_records() == restored.take_sleep_records()
