from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import ConfigError, Diverged, ScoresMissing
from sleep_tune.sleep.budget import plan_budget, to_fraction
from sleep_tune.sleep.buffer import SCOPES
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.selection import STRATEGIES
from sleep_tune.sleep.sleep_record import EXAMPLES
from sleep_tune.sleep.stream import Batch, Replay, SleepStream
from tests.sleep.corpora import SPECIAL, of_words, packed, play, samples_of


def stream_of(samples: Samples, *, replay: Replay | None = None, context: str = "keep", **given: Any) -> SleepStream:
    """A stream with 4 folds of batches of 4 and a budget of 5 passes, unless given."""
    budget = {} if "budget_words" in given else {"budget_passes": 5.0}
    length = {} if any(key.startswith("length") for key in given) else {"length_passes": 1.0}
    settings = {"batch_size": 4, "folds": 4} | budget | length | given
    plan = plan_budget(corpus_words=samples.num_words, num_samples=len(samples), **settings)
    return SleepStream(samples, plan, replay or Replay(), context=context, seed=3)


def test_a_run_without_sleep_is_epochs() -> None:
    samples = packed(30, 8)
    batches = list(play(stream_of(samples, length_ratio=0, folds=1)))
    assert len(batches) == 5 * 8
    for index in range(5):
        rows = np.concatenate([batch.input_ids for batch in batches[8 * index : 8 * index + 8]])
        assert sorted(rows.tolist()) == sorted(samples.tokens.tolist())
        assert {(batch.phase, batch.pass_index, batch.fold) for batch in batches[8 * index : 8 * index + 8]} == {
            ("wake", index, 0)
        }
    assert [batch.index for batch in batches] == list(range(40))


def test_a_run_without_sleep_needs_no_scores() -> None:
    stream = stream_of(packed(30, 8), length_ratio=0)
    while stream.next_batch() is not None:
        assert not stream.needs_scores
    stream.observe([0], [1.0], [1])
    assert stream.take_sleep_records() == []


@st.composite
def runs(draw: st.DrawFn, lengths: tuple[str, ...] = ("ratio", "passes", "repeats")) -> tuple[SleepStream, np.ndarray]:
    """A run over a corpus of any size, and its rows' words."""
    words = np.array(draw(st.lists(st.integers(0, 30), min_size=1, max_size=60)))
    words[0] += 1
    batch_size = draw(st.integers(1, 9))
    folds = draw(st.integers(1, -(-len(words) // batch_size)))
    passes = draw(st.integers(10, 60)) / 10
    ranges = {"ratio": (0.0, passes - 1), "passes": (1.0, passes), "repeats": (0.1, 5.0)}
    length = draw(st.sampled_from(lengths))
    given: dict[str, Any] = {f"length_{length}": draw(st.floats(*ranges[length]))}
    replay = Replay(
        strategy=draw(st.sampled_from(sorted(STRATEGIES))),
        scope=draw(st.sampled_from(sorted(SCOPES))),
        ratio=draw(st.floats(0.01, 1)),
        alpha=draw(st.sampled_from([0, 1, 4])),
        decay=draw(st.sampled_from([0, 0.4, 1])),
    )
    stream = stream_of(
        of_words(words), replay=replay, batch_size=batch_size, folds=folds, budget_passes=passes, **given
    )
    return stream, words


@given(runs())
@settings(max_examples=100)
def test_words_end_within_one_batch_of_the_budget_by_the_two_rules(run: tuple[SleepStream, np.ndarray]) -> None:
    """Both rules are checked batch by batch, from the batches alone."""
    stream, words = run
    plan, budget = stream.plan, stream.plan.budget_words
    seen = read = replayed = 0
    rows: list[int] = []
    last = ("wake", 0)
    for batch in play(stream):
        if batch.phase == "sleep":
            if plan.ratio is not None:
                assert seen < (1 + plan.ratio) * read, "a sleep takes batches only while it is short of its share"
            assert len(batch.input_ids) == min(plan.batch_size, len(words) - replayed % len(words))
            replayed += len(batch.input_ids)
        else:
            if plan.ratio is not None and batch.cycle > last[1]:
                asleep_all_words_empty = not words[rows].any()
                assert seen >= (1 + plan.ratio) * read or asleep_all_words_empty or last[0] == "wake"
            read += batch.words
        seen += batch.words
        rows = batch.sample_ids.max(axis=1).tolist()
        last = (batch.phase, batch.cycle)
        assert (stream.words_seen, stream.words_read_awake) == (seen, read)
        assert (stream.phase, stream.cycle, stream.pass_index, stream.fold) == (
            batch.phase,
            batch.cycle,
            batch.pass_index,
            batch.fold,
        )
        assert batch.words == words[rows].sum()
    assert budget - plan.batch_size * words.max() <= seen <= budget
    assert stream.next_batch() is None
    assert not stream.needs_scores
    assert stream.num_batches == 0 or batch.index == stream.num_batches - 1


@given(runs())
def test_every_pass_reads_every_sample_once_and_every_sleep_replays_its_candidates(
    run: tuple[SleepStream, np.ndarray],
) -> None:
    stream, words = run
    plan = stream.plan
    passes: dict[int, list[int]] = {}
    folds: dict[tuple[int, int], list[int]] = {}
    for batch in play(stream):
        rows = batch.sample_ids.max(axis=1).tolist()
        if batch.phase == "wake":
            passes.setdefault(batch.pass_index, []).extend(rows)
            folds.setdefault((batch.pass_index, batch.fold), []).extend(rows)
        else:
            candidates = folds[batch.pass_index, batch.fold]
            if stream._replay.scope == "seen":
                candidates = [row for read in passes.values() for row in read]
            assert set(rows) <= set(candidates)
        assert stream.read_ratio == pytest.approx(len({row for read in passes.values() for row in read}) / len(words))
    last = max(passes, default=0)
    for index, read in passes.items():
        assert len(set(read)) == len(read)
        assert index == last or len(read) == len(words)
        whole = [len(rows) for (at, _), rows in folds.items() if at == index]
        if len(read) == len(words) and len(whole) == plan.folds:
            assert max(whole) - min(whole) < 2 * plan.batch_size  # one batch, and the last may be short
    for record in stream.take_sleep_records():
        assert record.buffer_size == max(1, int(to_fraction(stream._replay.ratio) * record.candidates))
        assert sum(record.exposures) == len(words)
        assert sum(record.sources.values()) == pytest.approx(1)
        named = [example.sample for example in record.examples]
        assert len(set(named)) == len(named) == min(EXAMPLES, record.buffer_size)
        scores = [example.score for example in record.examples]
        assert scores == sorted(scores, reverse=True)
        assert scores[-1] <= record.mean_score + 1e-4 and record.mean_score <= scores[0] + 1e-4
        assert all(example.age >= 0 and example.times_seen >= 1 for example in record.examples)


@given(runs(lengths=("repeats",)))
@settings(max_examples=50)
def test_repeats_replay_each_buffer_so_often(run: tuple[SleepStream, np.ndarray]) -> None:
    """Cumulatively: rows replayed reach m x the sizes of all buffers so far, and a sleep ends as soon as they do."""
    stream, _ = run
    read: list[set[int]] = []  # rows of each fold, in the order of cycles
    due, replayed, counted = Fraction(0), 0, 0
    for batch in play(stream):
        while counted < batch.cycle + (batch.phase == "sleep"):
            seen = read[: counted + 1] if stream._replay.scope == "seen" else [read[counted]]
            size = max(1, int(to_fraction(stream._replay.ratio) * len(set().union(*seen))))
            due += to_fraction(stream.plan.repeats or 0) * size
            counted += 1
        if batch.phase == "sleep":
            assert replayed < due
            replayed += len(batch.input_ids)
        else:
            assert replayed >= due
            read += [set() for _ in range(batch.cycle + 1 - len(read))]
            read[batch.cycle] |= set(batch.sample_ids.max(axis=1).tolist())


def test_the_buffer_is_read_in_a_fresh_order_each_time() -> None:
    stream = stream_of(packed(64, 8), folds=1, replay=Replay(ratio=0.25, strategy="random"), batch_size=4)
    asleep = [batch for batch in play(stream) if batch.phase == "sleep"]
    rows = np.concatenate([batch.sample_ids.max(axis=1) for batch in asleep])
    passes = rows[: len(rows) // 16 * 16].reshape(-1, 16)
    assert len(passes) > 10
    assert all(sorted(one) == sorted(passes[0]) for one in passes.tolist())
    assert len({tuple(one) for one in passes.tolist()}) == len(passes)


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_sleep_hands_out_full_batches_across_passes_over_a_small_buffer(context: str) -> None:
    stream = stream_of(packed(40, 8), context=context, replay=Replay(ratio=0.01), batch_size=5)
    asleep = [batch for batch in play(stream) if batch.phase == "sleep"]
    assert {batch.input_ids.shape for batch in asleep} == {(5, 8)}
    assert all(batch.words > 0 for batch in asleep)


@given(st.data())
def test_the_control_makes_the_updates_of_epochs(data: st.DataObject) -> None:
    """With full batches asleep, it made a fifth fewer at 100 samples: batches of the same rows, in another order."""
    words = np.array(data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=200)))
    given: dict[str, Any] = {"batch_size": data.draw(st.integers(1, 40)), "folds": 1}
    given["budget_passes"] = data.draw(st.integers(1, 12))
    control = Replay(strategy="random", ratio=1.0)
    epochs, as_epochs = (
        list(play(stream_of(of_words(words), replay=control, **given | {length: value})))
        for length, value in (("length_ratio", 0.0), ("length_passes", 1.0))
    )
    sizes = [len(batch.input_ids) for batch in epochs]
    assert [len(batch.input_ids) for batch in as_epochs] == sizes
    assert sum(sizes) == given["budget_passes"] * len(words)
    assert sum(batch.words for batch in as_epochs) == sum(batch.words for batch in epochs)


@given(runs())
def test_as_many_rows_make_as_many_updates_asleep_as_awake(run: tuple[SleepStream, np.ndarray]) -> None:
    """Whatever the sizes of folds and buffers: every N rows replayed are cut as a pass is."""
    stream, words = run
    asleep = [len(batch.input_ids) for batch in play(stream) if batch.phase == "sleep"]
    full, rest = divmod(len(words), stream.plan.batch_size)
    a_pass = [stream.plan.batch_size] * full + [rest] * (rest > 0)
    assert asleep == [a_pass[index % len(a_pass)] for index in range(len(asleep))]


def read_fold(stream: SleepStream) -> list[Batch]:
    """The batches until the stream asks for scores."""
    batches = []
    while not stream.needs_scores:
        batch = stream.next_batch()
        assert batch is not None
        batches.append(batch)
    return batches


def test_no_sleep_before_its_scores() -> None:
    stream = stream_of(packed(32, 8))
    batches = read_fold(stream)
    with pytest.raises(ScoresMissing, match="cycle 0: 8 of 8 samples"):
        stream.next_batch()
    ids = np.concatenate([batch.sample_ids.max(axis=1) for batch in batches])
    stream.observe(ids[1:], np.ones(7), np.ones(7))
    with pytest.raises(ScoresMissing, match="cycle 0: 1 of 8"):
        stream.next_batch()
    stream.observe(ids[:1], [2.0], [1])
    assert not stream.needs_scores
    batch = stream.next_batch()
    assert batch is not None
    assert (batch.phase, batch.index, batch.cycle) == ("sleep", 2, 0)


def test_a_fold_whose_sleep_is_skipped_is_scored_all_the_same() -> None:
    """With little sleep, a sleep's last batch pays for several folds; their samples are candidates of the next."""
    stream = stream_of(packed(64, 8), folds=16, length_ratio=0.1)
    waited = sum(len(read_fold_and_answer(stream)) > 0 for _ in range(16))
    slept = [record.cycle for record in stream.take_sleep_records()]
    assert waited == 16
    assert 0 < len(slept) < 16
    stream.next_batch()
    assert (stream.history.scores > 0).all()


def read_fold_and_answer(stream: SleepStream) -> list[Batch]:
    """Read on to the end of a fold, sleeping on the way, and bring its scores."""
    batches = read_fold(stream)
    ids = np.concatenate([batch.sample_ids.max(axis=1) for batch in batches if batch.phase == "wake"])
    ids = ids[ids >= 0]  # the others hold no text
    stream.observe(ids, np.ones(len(ids)), np.ones(len(ids)))
    return batches


@given(st.data())
@settings(max_examples=50)
def test_losses_come_in_any_number_of_pieces_in_any_order(data: st.DataObject) -> None:
    """A loss for each predicted position; the last sample may be complete before others, or have all pieces to come."""
    whole, pieces = (stream_of(packed(20, 8), batch_size=5) for _ in range(2))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    for _ in range(3):
        rows = np.concatenate([batch.sample_ids.max(axis=1) for batch in read_fold(whole) if batch.phase == "wake"])
        read_fold(pieces)
        ids = rng.permutation(np.repeat(rows, rng.integers(1, 5, len(rows))))
        losses = rng.integers(0, 64, len(ids)) / 8  # sums of these are exact in any order
        whole.observe(ids, losses, np.ones(len(ids)))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(ids)), max_size=12)))
        for piece in np.split(np.arange(len(ids)), cuts):
            pieces.observe(ids[piece], losses[piece], np.ones(len(piece)))
        one, other = whole.next_batch(), pieces.next_batch()
        assert one is not None
        assert other is not None
        assert one.input_ids.tolist() == other.input_ids.tolist()
        assert whole.history.scores.tolist() == pieces.history.scores.tolist()
        with pytest.raises(ValueError, match=f"sample {ids[-1]} "):
            pieces.observe(ids[-1:], losses[-1:], [1])


def test_only_what_is_being_read_can_be_observed() -> None:
    stream = stream_of(packed(32, 8))
    read = read_fold_and_answer(stream)
    stream.next_batch()
    late = read[0].sample_ids.max(axis=1)[:1]
    with pytest.raises(ValueError, match=f"sample {late[0]} "):
        stream.observe(late, [1.0], [1])


def test_a_loss_that_is_not_finite_ends_the_run_as_a_divergence() -> None:
    stream = stream_of(packed(32, 8))
    ids = np.concatenate([batch.sample_ids.max(axis=1) for batch in read_fold(stream)])
    stream.observe(ids, np.full(len(ids), np.nan), np.ones(len(ids)))
    with pytest.raises(Diverged, match="cycle 0"):
        stream.next_batch()


def test_strict_replays_the_hardest_and_records_it() -> None:
    samples = packed(32, 8)
    stream = stream_of(samples, replay=Replay(strategy="strict", ratio=0.25))
    ids = np.concatenate([batch.sample_ids.max(axis=1) for batch in read_fold(stream)])
    stream.observe(ids, 3.0 * np.arange(len(ids)), np.full(len(ids), 3))
    batch = stream.next_batch()
    assert batch is not None
    assert set(batch.sample_ids.max(axis=1).tolist()) == set(ids[-2:].tolist())
    while stream.phase == "sleep":
        assert stream.next_batch() is not None
    (record,) = stream.take_sleep_records()
    assert stream.take_sleep_records() == []
    assert (record.cycle, record.buffer_size, record.candidates) == (0, 2, 8)
    assert (record.mean_score, record.mean_age) == (6.5, 0)
    named = [(example.sample, example.score, example.age) for example in record.examples]
    assert named == [(ids[-1], 7.0, 0), (ids[-2], 6.0, 0)]
    shares = np.bincount(samples.sources[ids[-2:]], minlength=2) / 2
    assert record.sources == {"books": shares[0], "talk": shares[1]}
    replays = record.batches * 4
    assert record.exposures[:2] == [24, 6]
    assert record.exposures[-1] == 0 or replays > 60
    assert record.words > 0


def test_exposures_count_readings_and_replays() -> None:
    stream = stream_of(packed(32, 8), context="keep")
    counts = np.zeros(32, int)
    for batch in play(stream):
        np.add.at(counts, batch.sample_ids.max(axis=1), 1)
    assert stream.history.times_seen.tolist() == counts.tolist()


@pytest.mark.parametrize("context", CONTEXTS)
def test_a_pass_over_the_buffer_counts_each_of_its_samples_once(context: str) -> None:
    samples = packed(40, 8)
    stream = stream_of(samples, context=context, folds=1, replay=Replay(ratio=1.0), batch_size=10)
    seen = [stream.history.times_seen.copy() for _ in play(stream)]
    assert seen[-1].max() - seen[-1].min() <= 2  # a pass that has begun may have counted one more
    assert seen[-1].mean() == pytest.approx(5, rel=0.1)


def test_a_buffer_in_which_no_word_begins_does_not_hold_the_run_up() -> None:
    """One word may span rows: a buffer of such rows could be replayed for ever without a word seen."""
    tokens = np.full((8, 6), 7)
    tokens[:, 0] = SPECIAL.start
    starts_word = np.zeros(tokens.shape, np.bool_)
    starts_word[0, 1:] = True
    stream = stream_of(
        samples_of(tokens, starts_word), folds=8, batch_size=1, replay=Replay(ratio=0.01, strategy="random")
    )
    assert sum(batch.words for batch in play(stream)) == 25


def test_a_row_without_text_needs_no_score() -> None:
    """The last row of a corpus may hold a lone separator."""
    tokens = np.full((8, 4), 7)
    tokens[:, 0] = SPECIAL.start
    tokens[-1, 1:] = [SPECIAL.separator, SPECIAL.pad, SPECIAL.pad]
    stream = stream_of(samples_of(tokens, tokens == 7), folds=2)
    for _ in range(2):
        read_fold_and_answer(stream)
    stream.next_batch()
    assert stream.history.scores.tolist() == [1] * 7 + [0]


def test_a_run_is_a_function_of_its_seed() -> None:
    samples = packed(40, 8)
    plan = stream_of(samples).plan
    runs = [
        [batch.input_ids.tolist() for batch in play(SleepStream(samples, plan, Replay(), context="shuffle", seed=seed))]
        for seed in (1, 1, 2)
    ]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_an_unknown_context_is_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown sleep.context 'repak'; did you mean 'repack'\? Choose one of: keep"
    ):
        stream_of(packed(32, 8), context="repak")


def test_the_plan_of_another_corpus_is_refused() -> None:
    plan = stream_of(packed(32, 8)).plan
    with pytest.raises(ValueError, match=r"32 samples .* 31 "):
        SleepStream(packed(31, 8), plan, Replay(), context="keep", seed=0)
