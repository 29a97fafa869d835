"""Batches from the stream to the device, and losses back to the stream."""

import math
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.config.schema import MaskingConfig
from sleep_tune.data.masking import MASKINGS, mask_batch
from sleep_tune.data.objectives import OBJECTIVES, is_causal_batch
from sleep_tune.data.prepare import Corpus
from sleep_tune.models.architectures import ARCHITECTURES
from sleep_tune.sleep.context import CONTEXTS
from sleep_tune.sleep.randomness import Purpose, generator
from sleep_tune.sleep.samples import Samples
from sleep_tune.training import batch_feed
from sleep_tune.training.batch_feed import BatchFeed, PreparedBatch
from sleep_tune.training.process_group import ProcessGroup
from sleep_tune.training.session import open_stream
from tests.training.runs import make_config

CPU = torch.device("cpu")


def make_feed(
    corpus: Corpus,
    *,
    rank: int = 0,
    size: int = 1,
    batch_size: int = 8,
    sleep: bool = True,
    objective: str = "mlm",
    masking: MaskingConfig | None = None,
    masking_asleep: float | None = None,
    **training: Any,
) -> BatchFeed:
    config = make_config(Path("unused"), batch_size=batch_size // size, sleep=sleep, objective=objective, **training)
    config.training.masking = masking or MaskingConfig()
    processes = ProcessGroup(rank, size)
    stream = open_stream(config, corpus, processes)
    return BatchFeed(
        stream, corpus.train, config.training, masking_asleep=masking_asleep, device=CPU, processes=processes
    )


def answer(feed: BatchFeed, prepared: PreparedBatch) -> None:
    """Pass on losses that equal the labels, so that the scores can be checked."""
    feed.record_losses(prepared, prepared.labels.float())


def test_a_batch_is_the_streams_with_masks(corpus: Corpus) -> None:
    feed, samples = make_feed(corpus), corpus.train
    for prepared in feed:
        answer(feed, prepared)
        tokens = torch.from_numpy(prepared.batch.input_ids.astype(np.int64)).flatten()
        assert torch.equal(tokens[prepared.positions], prepared.labels)
        others = torch.ones(len(tokens), dtype=torch.bool)
        others[prepared.positions] = False
        assert torch.equal(prepared.input_ids.flatten()[others], tokens[others])
        assert (prepared.sample_ids >= 0).all()
        padded = prepared.batch.input_ids == samples.special.pad
        assert (prepared.attention_mask is not None) == bool(padded.any())
        if prepared.attention_mask is not None:
            assert np.array_equal(~prepared.attention_mask[:, 0, -1].numpy(), padded)
        assert prepared.divisor == len(prepared.labels)
    assert feed.next_batch() is None


def test_each_batch_has_its_own_masks_at_the_configured_rate(corpus: Corpus) -> None:
    config, special = make_config(Path("unused"), sleep=False), corpus.train.special
    config.training.masking.probability = 0.4
    stream = open_stream(config, corpus, ProcessGroup())
    feed = BatchFeed(stream, corpus.train, config.training, device=CPU, processes=ProcessGroup())
    masked: list[set[int]] = []
    for prepared in islice(feed, 6):
        framing = [special.start, special.separator, special.pad]
        text = np.count_nonzero(~np.isin(prepared.batch.input_ids, framing))
        assert len(prepared.positions) / text == pytest.approx(0.4, abs=0.02)
        masked.append(set(prepared.positions.tolist()))
    assert all(len(one & other) < 0.6 * len(one) for one, other in pairwise(masked))  # by chance 0.4


def test_the_losses_of_wake_become_scores(corpus: Corpus) -> None:
    """The mean of a sample's losses in the fold that was read last, whatever batch and position they came from."""
    feed = make_feed(corpus)
    sums = np.zeros(len(corpus.train))
    counts = np.zeros(len(corpus.train))
    for prepared in feed:
        if prepared.batch.phase == "sleep":
            break
        answer(feed, prepared)
        np.add.at(sums, prepared.sample_ids, prepared.labels.numpy())
        np.add.at(counts, prepared.sample_ids, 1)
    read = np.flatnonzero(counts)
    assert 0 < len(read) < len(counts)
    np.testing.assert_allclose(feed.stream.history.scores[read], sums[read] / counts[read], rtol=1e-6)


def refreshing_feed(corpus: Corpus, context: str, *, rank: int = 0, size: int = 1) -> BatchFeed:
    """A feed whose stream moves scores by the losses of replays."""
    config = make_config(Path("unused"), batch_size=12 // size)
    config.sleep.context, config.sleep.replay.refresh = context, 0.5
    processes = ProcessGroup(rank, size)
    stream = open_stream(config, corpus, processes)
    return BatchFeed(stream, corpus.train, config.training, device=CPU, processes=processes)


@pytest.mark.parametrize("context", CONTEXTS)
def test_the_losses_of_replays_move_scores(context: str, corpus: Corpus) -> None:
    """By the mean over the positions of each pass over the buffer, whatever rows and batches they were in."""
    feed = refreshing_feed(corpus, context)
    awake: dict[int, list[float]] = {}
    asleep: dict[tuple[int, int], list[float]] = {}
    for prepared in feed:
        if prepared.batch.cycle == 2:
            break
        answer(feed, prepared)
        for sample, replay, label in zip(prepared.sample_ids, prepared.replays, prepared.labels.tolist(), strict=True):
            if prepared.batch.phase == "sleep" and prepared.batch.cycle == 0:
                asleep.setdefault((replay, sample), []).append(label)
            elif prepared.batch.phase == "wake":
                awake.setdefault(sample, []).append(label)
    expected = {sample: float(np.mean(labels)) for sample, labels in awake.items()}
    for (_, sample), labels in sorted(asleep.items()):
        expected[sample] = (expected[sample] + float(np.mean(labels))) / 2
    assert len({replay for replay, _ in asleep}) > 1
    found = feed.stream.history.scores[list(expected)]
    np.testing.assert_allclose(found, list(expected.values()), rtol=1e-6)


def test_losses_are_passed_on_before_there_are_too_many(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores are the same to the bit; and no batch of tensors is kept alive by them."""
    scores = []
    for most in (batch_feed.MOST_PENDING, 100):
        monkeypatch.setattr(batch_feed, "MOST_PENDING", most)
        feed = refreshing_feed(corpus, "shuffle")
        for prepared in feed:
            feed.record_losses(prepared, torch.log(prepared.labels + 0.1))
            assert sum(len(losses) for *_, losses in feed._pending) <= most + len(prepared.labels)
        scores.append(feed.stream.history.scores)
    assert np.array_equal(scores[0], scores[1])


def test_scores_are_only_kept_where_there_is_sleep(corpus: Corpus) -> None:
    feed = make_feed(corpus, sleep=False)
    for prepared in feed:
        answer(feed, prepared)
    feed.flush()
    assert feed.stream.words_seen > 0


def test_counts_are_of_tokens_and_predictions(corpus: Corpus) -> None:
    feed = make_feed(corpus)
    tokens = predicted = 0
    for prepared in feed:
        answer(feed, prepared)
        tokens += prepared.input_ids.numel()
        predicted += len(prepared.labels)
    assert (feed.num_tokens, feed.num_predicted) == (tokens, predicted)


def test_masks_depend_on_the_number_of_the_batch(corpus: Corpus) -> None:
    """Not by how often they were drawn before, so that a resumed run draws the same."""
    first, other = make_feed(corpus, sleep=False), make_feed(corpus, sleep=False)
    first.next_batch()
    other.stream.next_batch()
    ours, theirs = first.next_batch(), other.next_batch()
    assert ours is not None
    assert theirs is not None
    assert torch.equal(ours.input_ids, theirs.input_ids)


@pytest.mark.parametrize("size", [2, 3])
def test_processes_share_what_one_would_read(size: int, corpus: Corpus) -> None:
    """Rows, masks and weights of the shares are those of the batch, a short last batch included."""
    batch_size = 6 * size
    whole = make_feed(corpus, batch_size=batch_size, sleep=False)
    shares = [make_feed(corpus, rank=rank, size=size, batch_size=batch_size, sleep=False) for rank in range(size)]
    for prepared in whole:
        parts = [feed.next_batch() for feed in shares]
        assert torch.equal(torch.cat([part.input_ids for part in parts if part]), prepared.input_ids)
        assert torch.equal(torch.cat([part.labels for part in parts if part]), prepared.labels)
        mean = sum(float(part.labels.sum()) / part.divisor for part in parts if part) / size
        assert mean == pytest.approx(float(prepared.labels.sum()) / prepared.divisor)


def test_a_process_without_rows_trains_on_one_of_weight_zero(corpus: Corpus) -> None:
    one_row = Samples(
        corpus.train.tokens[:1],
        corpus.train.starts_word[:1],
        corpus.train.sources[:1],
        corpus.train.source_names,
        corpus.train.special,
        corpus.train.vocab_size,
    )
    feed = make_feed(corpus, rank=0, size=2)
    stream = feed.stream
    batch = stream.next_batch()
    assert batch is not None
    small = BatchFeed(stream, one_row, make_config(Path("unused")).training, device=CPU, processes=ProcessGroup(0, 2))
    short = type(batch)(**{name: getattr(batch, name) for name in batch.__slots__} | {"input_ids": batch.input_ids[:1]})
    idle = small._prepare(short)
    assert idle.divisor == math.inf
    assert len(idle.labels) == 1
    small.record_losses(idle, idle.labels.float())
    assert not small._pending


MOVING = MaskingConfig(probability=0.6, final=0.1)


@pytest.mark.parametrize("objective", ["mlm", "hybrid"])
@pytest.mark.parametrize("kind", sorted(MASKINGS))
def test_the_masked_share_moves_with_the_words_seen(objective: str, kind: str, corpus: Corpus) -> None:
    """From the first probability to the final one, awake and asleep, by the words before each batch."""
    feed = make_feed(corpus, objective=objective, masking=replace(MOVING, kind=kind))
    special, budget = corpus.train.special, feed.stream.plan.budget_words
    shares, lines, errors, phases = [], [], [], set()
    for prepared in feed:
        answer(feed, prepared)
        if objective == "hybrid" and is_causal_batch(prepared.batch.index, 0.0625):
            continue
        text = ~np.isin(prepared.batch.input_ids, [special.start, special.separator, special.pad])
        shares.append(len(prepared.positions) / np.count_nonzero(text))
        lines.append(0.6 - 0.5 * (feed.stream.words_seen - prepared.batch.words) / budget)
        errors.append(abs(shares[-1] - lines[-1]) * math.sqrt(np.count_nonzero(text)))
        phases.add(prepared.batch.phase)
    assert phases == {"wake", "sleep"}
    assert lines[0] == 0.6
    assert lines[-1] == pytest.approx(0.1, abs=0.02)
    assert max(errors) < 5 * 0.5  # five standard deviations of a binomial, at most
    assert np.mean(shares) == pytest.approx(np.mean(lines), abs=0.01)


def test_masks_do_not_move_without_a_final_probability(corpus: Corpus) -> None:
    """The tokens hidden are those of the configured probability, as before there was an option."""
    feed, samples = make_feed(corpus, sleep=False), corpus.train
    for prepared in feed:
        expected = mask_batch(
            prepared.batch.input_ids,
            samples.special,
            samples.vocab_size,
            generator(0, Purpose.MASK, prepared.batch.index),
            kind="fixed",
            probability=0.15,
            mask_share=0.8,
            random_share=0.1,
        )
        assert np.array_equal(prepared.input_ids.numpy(), expected.input_ids)
        assert np.array_equal(prepared.positions.numpy(), expected.positions)


def test_moving_masks_are_the_same_after_a_resume_and_in_every_process(corpus: Corpus) -> None:
    options: dict[str, Any] = {"masking": MOVING, "sleep": False, "batch_size": 12}
    first, cut = make_feed(corpus, **options), make_feed(corpus, **options)
    shares = [make_feed(corpus, rank=rank, size=2, **options) for rank in (0, 1)]
    for index, expected in enumerate(first):
        resumed = make_feed(corpus, **options)
        resumed.stream.load_state_dict(cut.stream.state_dict())
        again, parts = resumed.next_batch(), [feed.next_batch() for feed in shares]
        assert again is not None
        assert again.batch.index == index
        assert torch.equal(again.input_ids, expected.input_ids)
        assert torch.equal(torch.cat([part.input_ids for part in parts if part]), expected.input_ids)
        cut.next_batch()


def masked_shares(feed: BatchFeed, corpus: Corpus) -> list[tuple[str, float]]:
    """Phase of each batch that masks, and the share of its text that is predicted."""
    shares: list[tuple[str, float]] = []
    for prepared in feed:
        answer(feed, prepared)
        if (prepared.positions.diff() > 1).any():  # a causal batch predicts all of it
            special = corpus.train.special
            text = ~np.isin(prepared.batch.input_ids, [special.start, special.separator, special.pad])
            shares.append((prepared.batch.phase, len(prepared.positions) / np.count_nonzero(text)))
    return shares


@given(awake=st.floats(0.05, 0.6), asleep=st.floats(0.05, 0.6))
@settings(max_examples=10)
def test_sleep_masks_its_own_share(awake: float, asleep: float, corpus: Corpus) -> None:
    """And masks awake are those of a run without it: each batch draws its own."""
    masking = MaskingConfig(probability=awake)
    feed, plain = make_feed(corpus, masking=masking, masking_asleep=asleep), make_feed(corpus, masking=masking)
    expected = {"wake": awake, "sleep": asleep}
    for prepared, without in zip(feed, plain, strict=True):
        special = corpus.train.special
        text = ~np.isin(prepared.batch.input_ids, [special.start, special.separator, special.pad])
        wanted = np.maximum(1, np.rint(expected[prepared.batch.phase] * text.sum(axis=1)))
        assert len(prepared.positions) == wanted[text.any(axis=1)].sum()
        if prepared.batch.phase == "wake":
            assert torch.equal(prepared.input_ids, without.input_ids)
            assert torch.equal(prepared.positions, without.positions)
        feed.record_losses(prepared, torch.ones(len(prepared.positions)))  # the same scores, so the same buffers
        plain.record_losses(without, torch.ones(len(without.positions)))
    assert feed.num_tokens == plain.num_tokens
    assert (feed.num_predicted - plain.num_predicted) * (asleep - awake) >= 0  # counted in FLOPs


@pytest.mark.parametrize("objective", ["mlm", "hybrid"])
def test_the_final_share_is_that_of_wake_where_sleep_has_its_own(objective: str, corpus: Corpus) -> None:
    feed = make_feed(corpus, objective=objective, masking=MOVING, masking_asleep=0.3)
    shares = masked_shares(feed, corpus)
    asleep = [share for phase, share in shares if phase == "sleep"]
    awake = [share for phase, share in shares if phase == "wake"]
    assert asleep == pytest.approx([0.3] * len(asleep), abs=0.03)
    assert awake[0] == pytest.approx(0.6, abs=0.03)
    assert awake[-1] < 0.25


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize("masking", MASKINGS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_compiled_batches_have_one_shape(objective: str, masking: str, context: str, corpus: Corpus) -> None:
    """In both phases, but for the number of predictions; and they predict what others do, with the same weights."""
    kinds: set[object] = set()
    phases = set()
    feeds = []
    for compiled in (False, True):
        config = make_config(Path("unused"), batch_size=7, objective=objective, compile=compiled)
        config.training.causal_ratio = 0.3
        config.training.masking.kind = masking
        config.sleep.context = context
        stream = open_stream(config, corpus, ProcessGroup())
        feeds.append(
            BatchFeed(stream, corpus.train, config.training, masking_asleep=0.4, device=CPU, processes=ProcessGroup())
        )
    plain, feed = feeds
    for prepared in feed:
        other = plain.next_batch()
        assert other is not None
        rows, predicted = len(other.input_ids), len(other.labels)
        mask = prepared.attention_mask
        kinds.add((prepared.input_ids.shape, None if mask is None else (mask.shape, mask.stride(), mask.dtype)))
        phases.add(prepared.batch.phase)
        assert torch.equal(prepared.input_ids[:rows], other.input_ids)
        assert torch.equal(prepared.positions[:predicted], other.positions)
        assert torch.equal(prepared.labels[:predicted], other.labels)
        assert mask is None or mask.any(dim=-1).all()  # a position that sees nothing has no states
        assert len(prepared.labels) >= 2
        weight = len(prepared.labels) / prepared.divisor
        assert weight == pytest.approx(predicted / other.divisor)
        answer(feed, prepared)
        answer(plain, other)
    assert len(kinds) == 1
    assert phases == {"wake", "sleep"}
    assert plain.next_batch() is None


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_compiled_batches_have_the_mask_that_the_model_reads(kind: str, corpus: Corpus) -> None:
    """That of ModernBERT is one for each kind of layer."""
    config = make_config(Path("unused"), batch_size=7, compile=True)
    stream = open_stream(config, corpus, ProcessGroup())
    mask = ARCHITECTURES[kind].mask
    feed = BatchFeed(stream, corpus.train, config.training, mask=mask, device=CPU, processes=ProcessGroup())
    prepared = feed.next_batch()
    assert prepared is not None
    expected = mask(prepared.input_ids != corpus.train.special.pad, False)
    assert type(prepared.attention_mask) is type(expected)
    for name in expected if isinstance(expected, dict) else [...]:
        assert torch.equal(prepared.attention_mask[name], expected[name])
