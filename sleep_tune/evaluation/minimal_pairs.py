"""Scores on a corpus's own minimal pairs: how often the grammatical sentence of two is the more probable one.

A sentence's score is the sum, over its tokens, of the log-probability of the true token: its log-likelihood, or with a
back end that masks one token at a time its pseudo-log-likelihood (Salazar et al. 2020, the original metric). It is not
normalised by length, and special tokens are not scored. As in BabyLM's pipeline, equal scores count as right. A model
that gives every token the same probability is therefore right on every pair of equal lengths; a high share of ties
reveals it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import DataError
from sleep_tune.evaluation.item_scorer import ItemScorer
from sleep_tune.evaluation.items import Item, TextOption
from sleep_tune.evaluation.model_folder import load_fast_tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sleep_tune.data.pairs import MinimalPair

__all__ = ["PairScorer", "draw_pairs", "pair_metrics"]


def draw_pairs(pairs: Sequence["MinimalPair"], number: int, rng: np.random.Generator) -> list["MinimalPair"]:
    """Draw about `number` pairs without replacement, the same number of each paradigm.

    Args:
        pairs: all pairs.
        number: pairs in all, at least 0; rounded down to a multiple of the number of paradigms, but at least one of
            each. Of a paradigm with fewer pairs all are drawn.
        rng: random generator.

    Returns:
        The pairs by paradigm in alphabetical order, and within a paradigm in the given order.
    """
    by_paradigm: dict[str, list[MinimalPair]] = {}
    for pair in pairs:
        by_paradigm.setdefault(pair.paradigm, []).append(pair)
    share = max(1, number // max(1, len(by_paradigm)))
    drawn: list[MinimalPair] = []
    for _, members in sorted(by_paradigm.items()):
        chosen = rng.choice(len(members), size=min(share, len(members)), replace=False)
        drawn.extend(members[index] for index in np.sort(chosen))
    return drawn


class PairScorer:
    """Minimal pairs, tokenised once and scored by any number of models."""

    def __init__(
        self, pairs: Sequence["MinimalPair"], tokenizer_dir: Path, *, backend: str, max_length: int, batch_tokens: int
    ) -> None:
        """Tokenise the sentences and plan the batches.

        Args:
            pairs: at least one.
            tokenizer_dir: folder of the tokenizer, which adds its special tokens to a sentence.
            backend: a name of BACKENDS.
            max_length: tokens of the longest sentence that the model can read, including special tokens.
            batch_tokens: highest number of tokens in one forward pass.

        Raises:
            DataError: a sentence has no token to score, or more than `max_length` tokens.
        """
        self.pairs = tuple(pairs)
        self.items = items = [
            Item(uid=pair.paradigm, id=f"{pair.paradigm}_{n}", options=(TextOption(pair.good), TextOption(pair.bad)))
            for n, pair in enumerate(self.pairs)
        ]
        self._scorer = ItemScorer(
            items, load_fast_tokenizer(tokenizer_dir, backend), backend=backend, batch_tokens=batch_tokens
        )
        sentences = (option.text for item in items for option in item.options)
        for sentence, tokens in zip(sentences, self._scorer.tokenized, strict=True):
            if not len(tokens.positions):
                raise DataError(f"each sentence of a minimal pair must hold a token to score; got {sentence!r}")
            if len(tokens.text) > max_length:
                raise DataError(
                    f"a minimal pair's sentence may have at most data.max_length = {max_length} tokens; got "
                    f"{len(tokens.text)} in {sentence!r}: raise data.max_length, or set evaluation.pairs=0"
                )

    def score(self, model: "PreTrainedModel") -> NDArray[np.float64]:
        """Return (number of pairs, 2): log-likelihood, in nats, of each pair's good and bad sentence."""
        return np.stack(self._scorer.score(model))


def pair_metrics(pairs: Sequence["MinimalPair"], scores: NDArray[np.float64]) -> dict[str, float]:
    """Return accuracies and the share of ties, each in [0, 1].

    Args:
        pairs: the pairs that were scored.
        scores: (number of pairs, 2) scores of the good and the bad sentence.

    Returns:
        `pairs/<paradigm>`: the share of pairs whose good sentence scores at least as high as the bad one (NaN counts
        as wrong); `pairs_accuracy`: the mean over paradigms, as BLiMP is reported; `pairs_ties`: the share of all pairs
        whose scores are equal.
    """
    right: dict[str, list[bool]] = {}
    for pair, (good, bad) in zip(pairs, scores, strict=True):
        right.setdefault(pair.paradigm, []).append(bool(good >= bad))
    by_paradigm = {f"pairs/{paradigm}": float(np.mean(values)) for paradigm, values in sorted(right.items())}
    return {
        "pairs_accuracy": float(np.mean(list(by_paradigm.values()))),
        "pairs_ties": float(np.mean(scores[:, 0] == scores[:, 1])),
    } | by_paradigm
