"""The warning on runs that see more words than BabyLM's tracks allow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sleep_tune.babylm.challenge import DATASETS
from sleep_tune.babylm.word_limits import WORD_LIMITS, warn_of_words
from tests.messages import missing


def test_every_dataset_has_a_limit() -> None:
    assert WORD_LIMITS.keys() == DATASETS.keys()


@pytest.mark.parametrize(("track", "words"), [("strict-small", 10_421_796), ("strict", 104_534_122)])
def test_ten_passes_over_a_whole_corpus_are_too_many(track: str, words: int) -> None:
    warning = warn_of_words(DATASETS[track], words, 10 * words)
    assert warning is not None
    assert not missing(warning, f"{10 * words:,}|{words:,}|10 x|{track}|budget.words={WORD_LIMITS[track]}")


@given(st.sampled_from([*DATASETS.values(), "lab/own", None]), st.integers(1, 2**31), st.integers(1, 2**31))
def test_only_what_exceeds_a_limit_is_warned_of(dataset: str | None, words: int, budget: int) -> None:
    limit = {name: WORD_LIMITS[track] for track, name in DATASETS.items()}.get(dataset or "", budget)
    assert (warn_of_words(dataset, words, budget) is not None) == (budget > limit)
