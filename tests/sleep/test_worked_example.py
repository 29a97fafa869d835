"""The budget's worked example: 1M words in 11,160 samples, 10M words to train on, batches of 32."""

import itertools

import numpy as np
import pytest

from sleep_tune.sleep.budget import plan_budget
from sleep_tune.sleep.samples import Samples
from sleep_tune.sleep.stream import Replay, SleepStream
from tests.sleep.corpora import of_words, play

WORDS, SAMPLES, BATCH = 1_000_000, 11_160, 32


@pytest.fixture(scope="module")
def corpus() -> Samples:
    """About 90 words a row."""
    words = np.full(SAMPLES, 89)
    words[np.random.default_rng(5).permutation(SAMPLES)[: WORDS - 89 * SAMPLES]] += 1
    return of_words(words)


@pytest.mark.parametrize(
    ("ratio", "folds", "sleeps", "phase", "pass_number", "fold_number"),
    [
        (0, 10, 0, "wake", 10, 10),
        (9, 10, 10, "sleep", 1, 10),
        (4, 10, 20, "sleep", 2, 10),
        (1, 10, 50, "sleep", 5, 10),
        (0.5, 10, 66, "wake", 7, 7),
        (9, 1, 1, "sleep", 1, 1),
        (2.5, 100, None, None, 3, None),
    ],
)
def test_arms_match_in_words_and_updates(
    corpus: Samples,
    ratio: float,
    folds: int,
    sleeps: int | None,
    phase: str | None,
    pass_number: int,
    fold_number: int | None,
) -> None:
    plan = plan_budget(
        corpus_words=WORDS, num_samples=SAMPLES, batch_size=BATCH, folds=folds, budget_passes=10, length_ratio=ratio
    )
    stream = SleepStream(corpus, plan, Replay(strategy="random"), context="keep", seed=0)
    updates = sum(1 for _ in play(stream))
    assert 0 <= 10 * WORDS - stream.words_seen < BATCH * 90, "the next batch would not have fitted"
    assert 3_488 <= updates <= 3_490
    assert stream.num_batches == updates
    assert stream.pass_index + 1 == pass_number
    assert sleeps is None or len(stream.take_sleep_records()) == sleeps
    assert phase is None or stream.phase == phase
    assert fold_number is None or stream.fold + 1 == fold_number
    if ratio == 0:
        assert (stream.words_seen, updates) == (10 * WORDS, 3_490)


def test_a_cycle_is_a_tenth_of_the_corpus_awake_and_its_share_asleep(corpus: Samples) -> None:
    plan = plan_budget(
        corpus_words=WORDS, num_samples=SAMPLES, batch_size=BATCH, folds=10, budget_passes=10, length_passes=1
    )
    stream = SleepStream(corpus, plan, Replay(strategy="random"), context="keep", seed=1)
    words: dict[tuple[int, str], int] = {}
    for batch in itertools.takewhile(lambda batch: batch.cycle < 2, play(stream)):
        words[batch.cycle, batch.phase] = words.get((batch.cycle, batch.phase), 0) + batch.words
    one_batch = BATCH * 90
    for cycle in (0, 1):
        assert words[cycle, "wake"] == pytest.approx(WORDS / 10, abs=one_batch)
        assert words[cycle, "sleep"] == pytest.approx(9 * words[cycle, "wake"], abs=one_batch)
