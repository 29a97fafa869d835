from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from sleep_tune.data.pairs import MinimalPair
from sleep_tune.errors import DataError
from sleep_tune.evaluation.minimal_pairs import PairScorer, draw_pairs, pair_metrics

Oracle = Callable[[list[int], list[int]], dict[int, float]]

PAIRS = [
    MinimalPair("agreement", "the cat sleeps", "the cat sleep"),
    MinimalPair("agreement", "the cats sleep", "the cats sleeps"),
    MinimalPair("agreement", "a dog sees the cats", "a dog see the cats"),
    MinimalPair("length", "it sleeps", "it the sleeps cat dogs"),
    MinimalPair("alike", "the zebra sleeps", "the gnu sleeps"),
]
"""The last pair's nouns are both unknown to the tokenizer: its sentences are the same tokens."""

IDS = {"the": 4, "a": 5, "cat": 6, "cats": 7, "dog": 8, "dogs": 9, "sleeps": 10, "sleep": 11, "sees": 12, "see": 13}


def task_of(pairs: list[MinimalPair], tokenizer_dir: Path, batch_tokens: int = 64) -> PairScorer:
    return PairScorer(pairs, tokenizer_dir, backend="mlm", max_length=12, batch_tokens=batch_tokens)


@pytest.mark.parametrize("batch_tokens", [1, 30, 16_384])
def test_a_score_is_the_sum_over_tokens_masked_one_at_a_time(
    model: PreTrainedModel, oracle: Oracle, tokenizer_dir: Path, batch_tokens: int
) -> None:
    """Special tokens frame the sentence and are never scored; the tokenizer's own truncation is ignored."""
    expected = []
    for pair in PAIRS:
        for sentence in (pair.good, pair.bad):
            ids = [0, *(IDS.get(word, 14) for word in sentence.split()), 1]
            expected.append(sum(oracle(ids, [t])[t] for t in range(1, len(ids) - 1)))
    scores = task_of(PAIRS, tokenizer_dir, batch_tokens).score(model)
    np.testing.assert_allclose(scores, np.reshape(expected, (-1, 2)), atol=1e-5)


def test_sentences_that_tokenise_alike_are_a_tie_and_right(model: PreTrainedModel, tokenizer_dir: Path) -> None:
    scores = task_of(PAIRS, tokenizer_dir).score(model)
    metrics = pair_metrics(PAIRS, scores)
    assert scores[-1, 0] == scores[-1, 1]
    assert metrics["pairs/alike"] == 1
    assert metrics["pairs_ties"] == 1 / 5


def test_the_share_of_ties_reveals_a_constant_model(model: PreTrainedModel, tokenizer_dir: Path) -> None:
    """Ties count as right, so such a model is right on all pairs of equal lengths."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    pairs = [pair for pair in PAIRS if pair.paradigm != "length"]
    metrics = pair_metrics(pairs, task_of(pairs, tokenizer_dir).score(model))
    assert metrics["pairs_accuracy"] == 1
    assert metrics["pairs_ties"] == 1


def test_accuracy_is_the_mean_over_paradigms_and_nan_is_wrong() -> None:
    pairs = [MinimalPair(paradigm, "", "") for paradigm in "aaab"]
    scores = np.array([[-1.0, -2.0], [-3.0, -2.0], [np.nan, -1.0], [-1.0, -1.0]])
    assert pair_metrics(pairs, scores) == {
        "pairs_accuracy": pytest.approx((1 / 3 + 1) / 2),
        "pairs_ties": 0.25,
        "pairs/a": pytest.approx(1 / 3),
        "pairs/b": 1.0,
    }


def test_a_sentence_too_long_for_the_model_is_refused(tokenizer_dir: Path) -> None:
    with pytest.raises(DataError, match=r"data\.max_length = 6 .* 7 in 'a dog sees the cats'"):
        PairScorer(PAIRS, tokenizer_dir, backend="mlm", max_length=6, batch_tokens=64)


def test_a_sentence_without_tokens_is_refused(tokenizer_dir: Path) -> None:
    with pytest.raises(DataError, match=r"token to score.* ' '"):
        task_of([MinimalPair("empty", "the cat", " ")], tokenizer_dir)


def test_the_draw_is_equal_over_paradigms_and_repeatable() -> None:
    pairs = [MinimalPair(paradigm, f"{paradigm}{n}", "") for n in range(9) for paradigm in "cab"]
    drawn = draw_pairs(pairs, 10, np.random.default_rng(3))
    assert [pair.paradigm for pair in drawn] == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
    assert drawn == draw_pairs(pairs, 10, np.random.default_rng(3))
    assert drawn != draw_pairs(pairs, 10, np.random.default_rng(4))
    assert len(set(drawn)) == 9


def test_a_small_paradigm_gives_all_it_has_and_each_at_least_one() -> None:
    pairs = [MinimalPair("a", "1", ""), *(MinimalPair("b", str(n), "") for n in range(9))]
    assert len(draw_pairs(pairs, 10, np.random.default_rng(0))) == 1 + 5
    assert len(draw_pairs(pairs, 1, np.random.default_rng(0))) == 2
    assert len(draw_pairs(pairs, 1000, np.random.default_rng(0))) == 10
