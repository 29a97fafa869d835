from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sleep_tune.data.encoding import TokenStream
from sleep_tune.data.packing import ARRAYS, Packing, Rows, count_rows, pack, save_rows
from sleep_tune.sleep.samples import SpecialTokens

SPECIAL = SpecialTokens(start=0, separator=2, pad=1, mask=4)
SENTENCES = st.lists(st.lists(st.integers(5, 99), min_size=1, max_size=12), min_size=1, max_size=20)


def stream_of(sentences: list[list[int]]) -> TokenStream:
    """Every even token starts a word, besides the first of a sentence."""
    tokens = [token for sentence in sentences for token in (*sentence, SPECIAL.separator)]
    starts = [
        flag
        for sentence in sentences
        for flag in (*(at == 0 or token % 2 == 0 for at, token in enumerate(sentence)), False)
    ]
    lengths = [len(sentence) + 1 for sentence in sentences]
    return TokenStream(np.asarray(tokens, np.int32), np.asarray(starts, np.bool_), np.asarray(lengths, np.int32))


def packed(sentences: list[list[int]], max_length: int, *, join: bool, vocab_size: int = 100) -> Rows:
    """Return the rows of sentences that come in pieces of three."""
    packing = Packing(SPECIAL, vocab_size, max_length, join)
    pieces = list(pack(in_pieces(sentences), np.arange(len(sentences), dtype=np.int16), packing))
    rows = Rows(**{name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in ARRAYS})
    assert len(rows.tokens) == count_rows(stream_of(sentences).lengths, packing)
    return rows


def in_pieces(sentences: list[list[int]]) -> list[TokenStream]:
    return [stream_of(sentences[at : at + 3]) for at in range(0, len(sentences), 3)]


def content(rows: Rows) -> NDArray[np.bool_]:
    mask = rows.tokens != SPECIAL.pad
    mask[:, 0] = False
    return np.asarray(mask)


@given(SENTENCES, st.integers(2, 12), st.booleans())
def test_packing_keeps_the_token_stream_and_its_words(sentences: list[list[int]], max_length: int, join: bool) -> None:
    rows = packed(sentences, max_length, join=join)
    stream = stream_of(sentences)
    assert (rows.tokens[:, 0] == SPECIAL.start).all()
    assert rows.tokens[content(rows)].tolist() == stream.tokens.tolist()
    assert rows.starts_word[content(rows)].tolist() == stream.starts_word.tolist()
    assert rows.starts_word.sum() == stream.starts_word.sum()
    assert not rows.starts_word[~content(rows)].any()


@given(SENTENCES, st.integers(2, 12))
def test_joined_sentences_fill_every_row_but_the_last(sentences: list[list[int]], max_length: int) -> None:
    rows = packed(sentences, max_length, join=True)
    assert content(rows)[:-1, 1:].all()
    assert content(rows)[-1].any()


@given(SENTENCES, st.integers(2, 12))
def test_separate_sentences_start_rows_of_their_own(sentences: list[list[int]], max_length: int) -> None:
    rows = packed(sentences, max_length, join=False)
    capacity = max_length - 1
    needed = [-(-(len(sentence) + 1) // capacity) for sentence in sentences]
    assert len(rows.tokens) == sum(needed)
    first_rows = np.cumsum([0, *needed[:-1]])
    assert [int(rows.tokens[row, 1]) for row in first_rows] == [sentence[0] for sentence in sentences]
    assert rows.sources.tolist() == np.repeat(np.arange(len(sentences)), needed).tolist()


@given(SENTENCES, st.integers(2, 12))
def test_a_joined_row_has_the_source_of_its_first_content_token(sentences: list[list[int]], max_length: int) -> None:
    rows = packed(sentences, max_length, join=True)
    sentence_of_token = np.repeat(np.arange(len(sentences)), [len(sentence) + 1 for sentence in sentences])
    assert rows.sources.tolist() == sentence_of_token[:: max_length - 1].tolist()


def test_a_large_vocabulary_takes_wider_elements() -> None:
    assert packed([[5]], 8, join=True, vocab_size=32_767).tokens.dtype == np.int16
    assert packed([[5]], 8, join=True, vocab_size=50_000).tokens.dtype == np.int32


@pytest.mark.parametrize("join", [True, False])
@pytest.mark.parametrize("vocab_size", [100, 50_000])
def test_files_are_those_of_numpy(tmp_path: Path, join: bool, vocab_size: int) -> None:
    sentences = [[5, 6, 7], [8] * 20, [9], [10, 11]] * 50
    rows = packed(sentences, 8, join=join, vocab_size=vocab_size)
    packing = Packing(SPECIAL, vocab_size, 8, join)
    pieces = pack(in_pieces(sentences), np.arange(len(sentences), dtype=np.int16), packing)
    save_rows(pieces, len(rows.tokens), packing, tmp_path, "train")
    for name in ARRAYS:
        np.save(tmp_path / name, getattr(rows, name))
        assert (tmp_path / f"train-{name}.npy").read_bytes() == (tmp_path / f"{name}.npy").read_bytes()
    assert len(rows.tokens) * packing.bytes_of_row == sum(getattr(rows, name).nbytes for name in ARRAYS)
