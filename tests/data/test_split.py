from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.data.documents import Document, Splits
from sleep_tune.data.split import complete_splits, keep_words
from sleep_tune.errors import DataError
from tests.messages import raises_naming


def documents(count: int, words: int = 3) -> tuple[Document, ...]:
    return tuple(Document("book", (f"{index} " + "word " * (words - 1),)) for index in range(count))


@given(st.integers(3, 200), st.floats(0.01, 0.3), st.integers(0, 5))
def test_every_document_lands_in_one_split_and_keeps_its_order(total: int, dev_ratio: float, seed: int) -> None:
    whole = documents(total)
    splits = complete_splits(Splits(whole), dev_ratio=dev_ratio, seed=seed)
    parts = (splits.train, splits.dev, splits.test)
    assert sorted((document for part in parts for document in part), key=whole.index) == list(whole)
    for part in parts:
        assert part == tuple(sorted(part, key=whole.index))
    assert len(splits.dev) == len(splits.test) == max(1, round(dev_ratio * total))
    assert splits == complete_splits(Splits(whole), dev_ratio=dev_ratio, seed=seed)


def test_only_what_is_missing_is_cut() -> None:
    given_dev = documents(2)
    splits = complete_splits(Splits(documents(20), dev=given_dev), dev_ratio=0.1, seed=0)
    assert splits.dev == given_dev
    assert (len(splits.train), len(splits.test)) == (18, 2)
    whole = Splits(documents(20), documents(1), documents(1))
    assert complete_splits(whole, dev_ratio=0.1, seed=0) is whole


def test_another_seed_cuts_elsewhere() -> None:
    first, second = (complete_splits(Splits(documents(100)), dev_ratio=0.1, seed=seed).dev for seed in (0, 1))
    assert first != second


def test_too_few_documents_are_refused() -> None:
    with raises_naming(DataError, "dev", "test", 3, 2):
        complete_splits(Splits(documents(2)), dev_ratio=0.05, seed=0)


@given(st.integers(1, 400), st.integers(0, 3))
def test_max_words_keeps_whole_documents_in_order(max_words: int, seed: int) -> None:
    whole = documents(60, words=5)
    kept = keep_words(whole, max_words, seed=seed)
    assert kept == tuple(sorted(kept, key=whole.index))
    assert len(kept) == min(60, max(1, max_words // 5))


def test_without_max_words_everything_is_kept() -> None:
    assert keep_words(documents(3), None, seed=0) == documents(3)
