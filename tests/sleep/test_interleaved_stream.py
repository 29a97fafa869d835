"""The interleaved control beside the run with sleep phases of the same plan."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import BudgetError
from sleep_tune.sleep.batch import Batch
from sleep_tune.sleep.budget import SleepPlan, plan_budget, to_fraction
from sleep_tune.sleep.buffer import SCOPES
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.sleep.interleaved_stream import InterleavedStream
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.selection import STRATEGIES
from sleep_tune.sleep.stream import Replay, SleepStream
from tests.messages import raises_naming
from tests.sleep.corpora import losses_of, of_words, packed, play, reopened


def plan_of(samples: Samples, **given: Any) -> SleepPlan:
    """4 folds of batches of 4 and a budget of 5 passes, one of them awake, unless given."""
    length = {} if any(key.startswith("length") for key in given) else {"length_passes": 1.0}
    sizes = {"batch_size": 4, "folds": 4, "budget_passes": 5.0, "replay_ratio": 0.3, "interleave": True}
    return plan_budget(corpus_words=samples.num_words, num_samples=len(samples), **sizes | length | given)


def interleaved(samples: Samples, replay: Replay | None = None, context: str = "keep", **given: Any) -> SleepStream:
    return InterleavedStream(samples, plan_of(samples, **given), replay or Replay(), context=context, seed=3)


def rows_read(batch: Batch) -> list[int]:
    """Samples that were read, of whole rows."""
    rows = batch.sample_ids.max(axis=1)
    return [int(row) for row in (rows if batch.replays is None else rows[batch.replays < 0])]


def rows_replayed(batch: Batch) -> list[int]:
    return [] if batch.replays is None else [int(row) for row in batch.sample_ids.max(axis=1)[batch.replays >= 0]]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[SleepStream, SleepStream, np.ndarray]:
    """A run with sleep phases, the same run interleaved, and the rows' words."""
    words = np.array(draw(st.lists(st.integers(0, 30), min_size=2, max_size=60)))
    words[0] += 1
    samples = of_words(words)
    batch_size = draw(st.integers(1, -(-len(words) // 2)))
    folds = draw(st.integers(1, -(-len(words) // batch_size)))
    passes = draw(st.integers(20, 60)) / 10
    ranges = {
        "ratio": (0.01, passes - 1),
        "passes": (1.0, passes - 0.1),
        "repeats": (0.1, min(3.0, (passes - 1) / 1.5)),
    }
    length = draw(st.sampled_from(sorted(ranges)))
    replay = Replay(
        strategy=draw(st.sampled_from(sorted(STRATEGIES))),
        scope=draw(st.sampled_from(sorted(SCOPES))),
        ratio=draw(st.floats(0.05, 0.3)),
    )
    options: dict[str, Any] = {"batch_size": batch_size, "folds": folds, "budget_passes": passes}
    options[f"length_{length}"] = draw(st.floats(*ranges[length]))
    plan = plan_of(samples, **options, interleave=False)
    streams = [kind(samples, plan, replay, context="keep", seed=3) for kind in (SleepStream, InterleavedStream)]
    return streams[0], streams[1], words


def ends_of_cycles(stream: SleepStream) -> dict[int, tuple[int, int, int, list[int]]]:
    """Cycle -> words seen, words read awake, rows replayed, and the order of reading, at its end, if it was reached."""
    ends: dict[int, tuple[int, int, int, list[int]]] = {}
    read: dict[int, list[int]] = defaultdict(list)
    replayed = 0
    place = None
    for batch in play(stream):
        if place is not None and batch.cycle > place[0]:
            ends[place[0]] = (*place[1:], read[place[0]])
        read[batch.cycle] += rows_read(batch) if batch.phase == "wake" else []
        replayed += len(rows_replayed(batch))
        place = (batch.cycle, stream.words_seen, stream.words_read_awake, replayed)
    return ends


@given(pairs())
@settings(max_examples=150)
def test_at_the_end_of_each_later_cycle_as_much_was_read_and_replayed_as_with_sleep_phases(
    run: tuple[SleepStream, SleepStream, np.ndarray],
) -> None:
    """The same rows in the same order; the words to a batch, which is as exact as sleep phases are."""
    sleeping, stream, words = run
    plan = stream.plan
    batch_words = plan.batch_size * int(words.max())
    expected, found = ends_of_cycles(sleeping), ends_of_cycles(stream)
    shared = expected.keys() & found.keys()
    for cycle in sorted(shared - {0}):
        assert found[cycle][3] == expected[cycle][3]
        assert found[cycle][1] == expected[cycle][1]
        if plan.ratio is None:
            assert abs(found[cycle][2] - expected[cycle][2]) <= 2 * plan.batch_size
        elif all(words):  # a buffer in which no word begins is not replayed
            assert abs(found[cycle][0] - (1 + plan.ratio) * found[cycle][1]) <= batch_words
            assert abs(expected[cycle][0] - (1 + plan.ratio) * expected[cycle][1]) <= batch_words


@given(pairs())
@settings(max_examples=100)
def test_batches_are_full_awake_within_the_budget_and_replay_what_was_read_before(
    run: tuple[SleepStream, SleepStream, np.ndarray],
) -> None:
    _, stream, words = run
    plan = stream.plan
    counts = np.zeros(len(words), int)
    before: dict[int, set[int]] = defaultdict(set)  # cycle -> samples that were read in earlier ones
    rows = 0
    for batch in play(stream):
        read, replayed = rows_read(batch), rows_replayed(batch)
        assert (batch.phase, stream.phase) == ("wake", "wake")
        assert not replayed or batch.cycle > 0, "the first fold is read alone"
        if batch.cycle not in before:
            before[batch.cycle] = set(np.flatnonzero(stream.history.last_read >= 0).tolist())
        assert set(replayed) <= before[batch.cycle]
        assert batch.words == words[read + replayed].sum()
        assert len(read) + len(replayed) == len(batch.input_ids) <= plan.batch_size
        np.add.at(counts, read + replayed, 1)
        rows += len(batch.input_ids)
    assert plan.budget_words - plan.batch_size * words.max() <= stream.words_seen <= plan.budget_words
    assert stream.history.times_seen.tolist() == counts.tolist()
    for record in stream.take_sleep_records():
        assert record.mean_age >= 0
        assert record.candidates >= record.buffer_size


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("ratio", [0.2, 1.0, 4.0])
def test_each_batch_of_a_fold_holds_the_same_share_of_replay(context: str, ratio: float) -> None:
    """To a row where a row of the buffer has as many words as any; else it drifts little."""
    samples = of_words(np.full(240, 3)) if context == "keep" else packed(240, 20)
    stream = interleaved(
        samples, Replay(ratio=0.5), context, length_ratio=ratio, folds=3, batch_size=10, budget_passes=7.0
    )
    folds: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for batch in play(stream):
        folds[batch.cycle].append((len(rows_read(batch)), len(batch.input_ids)))
    full = [folds[cycle] for cycle in (1, 2)]
    for fold in full:
        read, rows = np.cumsum(fold, axis=0).T
        even = read[-1] * rows / rows[-1]
        assert np.abs(read - even)[:-1].max() <= (1 if context == "keep" else 4) + 10 * read[-1] / rows[-1]
        assert read[-1] == 80
    replayed = [sum(rows - read for read, rows in fold) for fold in full]
    if context == "shuffle":
        return  # rows end where no further sentence fits: the same words are more rows
    assert replayed[0] == pytest.approx(2 * ratio * 80, abs=10 + 8 * ratio), "it makes up for the first fold"
    assert sum(replayed) == pytest.approx(3 * ratio * 80, abs=10 + 12 * ratio)


def test_half_a_batch_left_of_a_fold_does_not_change_the_share_from_batch_to_batch() -> None:
    """A fold of 24 rows and 6 replays is 7.5 batches of 4: `round` would take 8 and 6 for it in turns."""
    stream = interleaved(
        of_words(np.full(96, 3)),
        Replay(ratio=0.5, scope="fold"),
        "keep",
        length_repeats=0.5,
        folds=4,
        batch_size=4,
        budget_passes=5.0,
    )
    folds: dict[int, list[int]] = defaultdict(list)
    for batch in play(stream):
        folds[batch.cycle].append(len(rows_replayed(batch)))
    for cycle in (2, 3):
        assert max(folds[cycle]) - min(folds[cycle]) <= 1
        assert 4 <= sum(folds[cycle]) <= 8


def test_a_small_reference_agrees() -> None:
    """Equal words, the hardest are replayed: what each batch holds follows from a few lines."""
    num, batch_size, folds, ratio, share = 48, 6, 4, 2, 0.25
    samples = of_words(np.ones(num, int))
    stream = interleaved(
        samples, Replay(strategy="strict", ratio=share), batch_size=batch_size, folds=folds, length_ratio=ratio,
        budget_passes=3.0,
    )  # fmt: skip
    order = np.concatenate([stream._wake_pass.order])
    batches = list(play(stream))
    losses: dict[int, float] = {}
    read: list[int] = []
    done = seen = 0
    for cycle in range(folds):
        fold = order[cycle * 12 : (cycle + 1) * 12].tolist()
        owed = (1 + ratio) * (len(read) + 12) - (seen + 12) if cycle else 0
        hardest = sorted(losses, key=losses.__getitem__)[-max(1, int(share * len(losses))) :] if cycle else []
        taken = replays = 0
        while taken < 12:
            batch = batches[done]
            awake, total, owing = batch_size, taken + replays, max(owed - replays, 0)
            if owing:
                more = max(round((12 - taken + owing - batch_size) / batch_size), 0)
                awake = 12 * (total + batch_size) // (total + batch_size * (1 + more)) - taken
            awake = min(awake, 12 - taken)
            assert rows_read(batch) == fold[taken : taken + awake]
            assert set(rows_replayed(batch)) <= set(hardest)
            ids, sums, _, of_row = losses_of(batch)
            losses |= {int(i): float(loss) / 2 for i, loss, replay in zip(ids, sums, of_row, strict=True) if replay < 0}
            taken, replays, done = taken + awake, replays + batch_size - awake, done + 1
        read += fold
        seen += taken + replays
    assert (done, seen) == (len(batches), stream.words_seen) == (24, 144)


@pytest.mark.parametrize("length", [{"length_ratio": 1.5}, {"length_repeats": 2.0}])
@pytest.mark.parametrize("refresh", [0.0, 0.5])
@pytest.mark.parametrize("context", CONTEXTS)
def test_restored_at_every_step_is_never_stopped(context: str, refresh: float, length: dict[str, float]) -> None:
    samples = packed(40, 9)
    replay = Replay(ratio=0.4, refresh=refresh, alpha=2)

    def run(*, reopen: bool) -> tuple[list[Batch], list[Any]]:
        stream, batches = interleaved(samples, replay, context, **length), []
        while (batch := stream.next_batch()) is not None:
            batches.append(batch)
            stream.observe(*losses_of(batch))
            if reopen:
                stream = reopened(stream, interleaved(samples, replay, context, **length))
        return batches, stream.take_sleep_records()

    straight, restored = run(reopen=False), run(reopen=True)
    assert len(straight[0]) > 20
    for one, other in zip(straight[0], restored[0], strict=True):
        assert np.array_equal(one.input_ids, other.input_ids)
        assert np.array_equal(one.sample_ids, other.sample_ids)
        assert (one.index, one.cycle, one.words) == (other.index, other.cycle, other.words)
        assert (one.replays is None) == (other.replays is None)
        assert rows_read(one) == rows_read(other)
    assert straight[1] == restored[1]
    assert len(straight[1]) >= 3


def test_scores_are_those_of_readings() -> None:
    """A replayed row of a sample that the same fold reads again does not count."""
    stream = interleaved(packed(32, 8), Replay(ratio=1.0), length_passes=2.0)
    seen_losses: dict[int, list[float]] = {}
    while (batch := stream.next_batch()) is not None:
        losses = losses_of(batch)
        seen_losses |= {
            int(i): loss / 2 for i, loss, replay in zip(losses[0], losses[1], losses[3], strict=True) if replay < 0
        }
        stream.observe(*losses)
        if stream.needs_scores is False and batch.cycle == 6:
            break
    read = np.flatnonzero(stream.history.last_read == 5)
    assert len(read) == 8
    assert stream.history.scores[read].tolist() == pytest.approx([seen_losses[int(sample)] for sample in read])


def test_a_plan_without_a_fold_to_mix_into_is_refused() -> None:
    samples = packed(32, 8)
    with raises_naming(BudgetError, "sleep.interleave", "sleep.length.ratio"):
        plan_of(samples, length_ratio=0)
    with raises_naming(BudgetError, "sleep.interleave", "sleep.folds=1", "1 pass"):
        plan_of(samples, folds=1)
    assert plan_of(samples, folds=1, length_passes=2.0).interleave
    assert "mixed into" in plan_of(samples).describe()
    assert to_fraction(plan_of(samples).passes or 0) == 1
