from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep.context import CONTEXTS, ReplayRows, join_rows
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sentence_index import index_sentences
from tests.sleep.corpora import FIRST_TEXT, SPECIAL, packed, samples_of

contexts = pytest.mark.parametrize("context", CONTEXTS)
corpora = st.builds(packed, st.integers(1, 14), st.integers(2, 12), seed=st.integers(0, 99), padded=st.booleans())


def one_pass(samples: Samples, context: str, order: np.ndarray, *, seed: int = 0, step: int = 3) -> ReplayRows:
    """All rows of one pass over a buffer, `step` at a time."""
    replay = CONTEXTS[context](samples)(order.astype(np.int32), np.random.default_rng(seed))
    parts, cursor = [], 0
    while cursor < replay.end:
        rows, cursor = replay.take(cursor, step)
        assert 1 <= len(rows.input_ids) <= step
        parts.append(rows)
    return join_rows(parts)


@contexts
@given(samples=corpora, seed=st.integers(0, 99), step=st.integers(1, 5))
def test_a_pass_over_all_samples_holds_the_words_and_tokens_of_the_corpus(
    context: str, samples: Samples, seed: int, step: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(samples))
    rows = one_pass(samples, context, order, seed=seed, step=step)
    assert rows.words == samples.num_words
    frame = [SPECIAL.start, SPECIAL.pad]
    kept = np.sort(rows.input_ids[~np.isin(rows.input_ids, frame)])
    assert kept.tolist() == np.sort(samples.tokens[~np.isin(samples.tokens, frame)]).tolist()
    assert sorted(rows.begun.tolist()) == list(range(len(samples)))


@contexts
@given(samples=corpora, seed=st.integers(0, 99))
def test_rows_have_the_format_of_rows_read_awake(context: str, samples: Samples, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(samples))[: 1 + len(samples) // 2]
    rows = one_pass(samples, context, order, seed=seed)
    assert rows.input_ids.shape == rows.sample_ids.shape == (len(rows.input_ids), samples.max_length)
    assert rows.input_ids.dtype == rows.sample_ids.dtype == np.int32
    assert (rows.input_ids[:, 0] == SPECIAL.start).all()
    assert (rows.input_ids[:, 1] != SPECIAL.pad).all()
    content = rows.input_ids[:, 1:] != SPECIAL.pad
    assert (content[:, :-1] >= content[:, 1:]).all(), "padding comes last"
    special = np.isin(rows.input_ids, [SPECIAL.start, SPECIAL.separator, SPECIAL.pad])
    assert ((rows.sample_ids == -1) == special).all()
    assert set(rows.sample_ids[~special].tolist()) <= set(order.tolist())


@contexts
@given(samples=corpora, seed=st.integers(0, 99), step=st.integers(1, 9))
def test_how_many_rows_are_taken_at_once_changes_nothing(context: str, samples: Samples, seed: int, step: int) -> None:
    order = np.random.default_rng(seed).permutation(len(samples))
    one, other = (one_pass(samples, context, order, seed=seed, step=size) for size in (1, step))
    assert np.array_equal(one.input_ids, other.input_ids)
    assert np.array_equal(one.sample_ids, other.sample_ids)
    assert np.array_equal(one.begun, other.begun)
    assert one.words == other.words


def texts(samples: Samples, order: np.ndarray) -> list[tuple[int, int]]:
    """(token, sample) of the buffer's content, one sample after another."""
    return [
        (token, -1 if token == SPECIAL.separator else int(row))
        for row in order
        for token in samples.tokens[row, 1:].tolist()
        if token != SPECIAL.pad
    ]


def unpacked(rows: ReplayRows) -> list[tuple[int, int]]:
    """(token, sample) of the content of some rows."""
    content = rows.input_ids[:, 1:] != SPECIAL.pad
    return list(zip(rows.input_ids[:, 1:][content].tolist(), rows.sample_ids[:, 1:][content].tolist(), strict=True))


@given(samples=corpora, seed=st.integers(0, 99))
def test_keep_leaves_rows_and_order(samples: Samples, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(samples))
    rows = one_pass(samples, "keep", order)
    assert np.array_equal(rows.input_ids, samples.tokens[order])


@given(samples=corpora, seed=st.integers(0, 99))
def test_repack_is_the_buffer_as_a_ring_cut_into_full_rows(samples: Samples, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(samples))
    rows = one_pass(samples, "repack", order, seed=seed)
    assert (rows.input_ids[:-1] != SPECIAL.pad).all(), "only the last row is padded"
    ring, found = texts(samples, order), unpacked(rows)
    rotations = [ring[offset:] + ring[:offset] for offset in range(min(samples.max_length - 1, len(ring)))]
    assert found in rotations


def test_repack_cuts_full_rows_elsewhere_in_every_pass() -> None:
    samples = packed(40, 10)
    order = np.arange(30)
    passes = [one_pass(samples, "repack", order, seed=seed).input_ids.tolist() for seed in range(40)]
    rows = {tuple(row) for row in samples.tokens.tolist()}
    cut_anew = [made for made in passes if not any(tuple(row) in rows for row in made)]
    assert len({str(made) for made in passes}) == 9, "every rotation is drawn"
    assert len(cut_anew) > 30


@given(samples=corpora, seed=st.integers(0, 99))
def test_shuffle_packs_whole_sentences_until_the_next_does_not_fit(samples: Samples, seed: int) -> None:
    samples = numbered(samples)
    sentences = index_sentences(samples)
    flat = samples.tokens.reshape(-1)
    lengths = dict(zip(flat[sentences.begins].tolist(), sentences.lengths.tolist(), strict=True))
    rows = one_pass(samples, "shuffle", np.arange(len(samples)), seed=seed).input_ids.tolist()
    begun: list[int] = []
    room = 0
    for row in rows:
        content = [token for token in row[1:] if token != SPECIAL.pad]
        assert lengths[content[0]] > room, "it would have fitted in the row before"
        place = 0
        while place < len(content):
            token = content[place]
            begun.append(token)
            begin = int(np.flatnonzero(flat == token)[0])
            assert content[place : place + lengths[token]] == flat[begin : begin + lengths[token]].tolist()
            place += lengths[token]
        room = len(row) - 1 - len(content)
    assert sorted(begun) == sorted(lengths)


def numbered(samples: Samples) -> Samples:
    """The same corpus, each text token its own, and every separator behind text."""
    tokens = np.arange(samples.tokens.size).reshape(samples.tokens.shape) + FIRST_TEXT
    tokens[:, 0] = SPECIAL.start
    pad, separator = (samples.tokens == token for token in (SPECIAL.pad, SPECIAL.separator))
    separator[:, 1:] &= ~separator[:, :-1]
    tokens[separator] = SPECIAL.separator
    tokens[pad] = SPECIAL.pad
    return samples_of(tokens, tokens >= FIRST_TEXT)


def test_shuffle_mixes_samples_and_passes_differ() -> None:
    samples = packed(60, 24)
    order = np.arange(50)
    first, second = (one_pass(samples, "shuffle", order, seed=seed) for seed in (0, 1))
    assert not np.array_equal(first.input_ids[:20], second.input_ids[:20])
    mixed = [len(set(row.tolist()) - {-1}) for row in first.sample_ids]
    assert np.mean(mixed) > 2


def test_memory_mapped_tokens_are_read_alike(tmp_path: Path) -> None:
    samples = packed(20, 12)
    np.save(tmp_path / "tokens.npy", samples.tokens)
    mapped = Samples(
        tokens=np.load(tmp_path / "tokens.npy", mmap_mode="r"),
        starts_word=samples.starts_word,
        sources=samples.sources,
        source_names=samples.source_names,
        special=samples.special,
        vocab_size=samples.vocab_size,
    )
    for context in CONTEXTS:
        one, other = (one_pass(corpus, context, np.arange(20)) for corpus in (samples, mapped))
        assert np.array_equal(one.input_ids, other.input_ids)
