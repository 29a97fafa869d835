import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from sleep_tune.data.split import complete_splits, keep_words
from sleep_tune.errors import DataError
from tests.messages import raises_naming

TRAIN, DEV, TEST = 0, 1, 2


def codes(train: int, dev: int = 0, test: int = 0) -> NDArray[np.int8]:
    return np.repeat(np.asarray([TRAIN, DEV, TEST], np.int8), [train, dev, test])


@given(st.integers(3, 200), st.floats(0.01, 0.3), st.integers(0, 5))
def test_every_document_lands_in_one_split(total: int, dev_ratio: float, seed: int) -> None:
    split_of = complete_splits(codes(total), dev_ratio=dev_ratio, seed=seed)
    share = max(1, round(dev_ratio * total))
    assert np.bincount(split_of, minlength=3).tolist() == [total - 2 * share, share, share]
    assert (split_of == complete_splits(codes(total), dev_ratio=dev_ratio, seed=seed)).all()


def test_only_what_is_missing_is_cut() -> None:
    split_of = complete_splits(codes(20, dev=2), dev_ratio=0.1, seed=0)
    assert (split_of[20:] == DEV).all()
    assert np.bincount(split_of).tolist() == [18, 2, 2]
    whole = codes(20, 1, 1)
    assert complete_splits(whole, dev_ratio=0.1, seed=0) is whole


def test_another_seed_cuts_elsewhere() -> None:
    first, second = (complete_splits(codes(100), dev_ratio=0.1, seed=seed) for seed in (0, 1))
    assert (first != second).any()


def test_too_few_documents_are_refused() -> None:
    with raises_naming(DataError, "dev", "test", 3, 2):
        complete_splits(codes(2), dev_ratio=0.05, seed=0)


@pytest.mark.parametrize("seed", range(3))
@given(st.integers(1, 400))
def test_max_words_keeps_whole_documents_in_order(seed: int, max_words: int) -> None:
    kept = keep_words(np.full(60, 5), max_words, seed=seed).tolist()
    assert kept == sorted(set(kept))
    assert len(kept) == min(60, max(1, max_words // 5))
