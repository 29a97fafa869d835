from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.sleep import sentence_index
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.sentence_index import content_lengths, index_sentences
from tests.sleep.corpora import SPECIAL, packed, samples_of


def by_hand(samples: Samples) -> list[list[tuple[int, int]]]:
    """(begin, length) of the sentences of every row, token by token."""
    result: list[list[tuple[int, int]]] = []
    for row, tokens in enumerate(samples.tokens.tolist()):
        found: list[tuple[int, int]] = []
        begin = 1
        for column in range(1, len(tokens) + 1):
            over = column == len(tokens) or tokens[column] == SPECIAL.pad
            if (over or tokens[column - 1] == SPECIAL.separator) and column > begin:
                found.append((row * len(tokens) + begin, column - begin))
                begin = column
            if over:
                break
        result.append(found)
    return result


@given(st.integers(1, 12), st.integers(2, 12), st.integers(0, 50), st.booleans())
def test_sentences_are_what_separators_and_edges_end(rows: int, width: int, seed: int, padded: bool) -> None:
    samples = packed(rows, width, seed=seed, padded=padded)
    split = index_sentences(samples)
    wanted = by_hand(samples)
    assert list(zip(split.begins.tolist(), split.lengths.tolist(), strict=True)) == [x for row in wanted for x in row]
    assert np.diff(split.before).tolist() == [len(row) for row in wanted]
    assert content_lengths(samples).tolist() == [sum(length for _, length in row) for row in wanted]
    order = np.random.default_rng(seed).permutation(rows).astype(np.int32)
    assert split.begins[split.of_samples(order)].tolist() == [begin for row in order for begin, _ in wanted[row]]


def test_a_corpus_looked_at_in_chunks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = packed(50, 9, padded=True)
    whole = index_sentences(samples)
    monkeypatch.setattr(sentence_index, "_CHUNK_TOKENS", 64)
    parts = index_sentences(samples)
    for name in ("begins", "lengths", "before"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))


def test_lone_separators_and_empty_rows() -> None:
    tokens = np.array([[0, 1, 1, 7], [0, 2, 2, 2], [0, 1, 2, 2]])
    split = index_sentences(samples_of(tokens, tokens > 4))
    assert split.begins.tolist() == [1, 2, 3, 9]
    assert split.lengths.tolist() == [1, 1, 1, 1]
    assert split.before.tolist() == [0, 3, 3, 4]


def test_one_token_may_start_rows_and_end_sentences() -> None:
    """Such a start once counted as a sentence of no tokens, and its sample as seen twice."""
    samples = packed(20, 12, padded=True)
    separator = samples.special.separator
    shared = replace(samples, special=replace(samples.special, start=separator), tokens=samples.tokens.copy())
    shared.tokens[:, 0] = separator
    found, expected = index_sentences(shared), index_sentences(samples)
    assert (found.lengths > 0).all()
    for name in ("begins", "lengths", "before"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
