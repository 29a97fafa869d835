"""Minimal pairs: does the model find the grammatical sentence of two more probable? Knows no corpus and no files.

A sentence's score is its pseudo-log-likelihood (Salazar et al. 2020, the original metric): the sum, over its tokens
masked one at a time, of the log-probability of the true token. No normalisation by length; special tokens are never
scored; as BabyLM's pipeline has it, equal scores count as right, and so a model that scores a constant is right on
every pair of equal lengths: the share of ties tells such a model from a good one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from sleep_tune.data.encoding import one_thread
from sleep_tune.errors import DataError
from sleep_tune.evaluation.cloze import Cloze, Probes
from sleep_tune.sleep.samples import SpecialTokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sleep_tune.data.pairs import MinimalPair

__all__ = ["PairsTask", "accuracies", "draw_pairs"]


def draw_pairs(pairs: Sequence["MinimalPair"], number: int, rng: np.random.Generator) -> list["MinimalPair"]:
    """Draw about `number` pairs without replacement, equally many of each paradigm.

    Args:
        pairs: what to draw from.
        number: pairs wanted in all; rounded down to a multiple of the number of paradigms, but at least one of each. A
            paradigm that has fewer gives all it has.
        rng: draws them.

    Returns:
        The pairs, by paradigm in alphabetical order, each paradigm's in the order they were given.
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


class PairsTask:
    """Pairs made ready once, tokenised as the tokenizer does it, and put to any number of models."""

    def __init__(
        self,
        pairs: Sequence["MinimalPair"],
        tokenizer_dir: Path,
        special: SpecialTokens,
        *,
        max_length: int,
        batch_tokens: int,
    ) -> None:
        """Tokenise the sentences and plan the batches.

        Args:
            pairs: at least one.
            tokenizer_dir: folder with a `tokenizer.json`, whose post-processor frames a sentence.
            special: gives the mask and the padding.
            max_length: tokens of the longest sentence that the model can read, special tokens included.
            batch_tokens: tokens in one forward pass, at most.

        Raises:
            DataError: a sentence has no token to score, or more than `max_length` tokens.
        """
        self.pairs = tuple(pairs)
        tokenizer = Tokenizer.from_file(str(tokenizer_dir / "tokenizer.json"))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        sentences = [sentence for pair in self.pairs for sentence in (pair.good, pair.bad)]
        with one_thread():
            encodings = tokenizer.encode_batch(sentences)
        texts = [np.array(encoding.ids, dtype=np.int32) for encoding in encodings]
        scored = [np.flatnonzero(np.array(encoding.special_tokens_mask) == 0) for encoding in encodings]
        for sentence, text, positions in zip(sentences, texts, scored, strict=True):
            if not len(positions):
                raise DataError(f"each sentence of a minimal pair must hold a token to score; got {sentence!r}")
            if len(text) > max_length:
                raise DataError(
                    f"a minimal pair's sentence may have at most data.max_length = {max_length} tokens; got "
                    f"{len(text)} in {sentence!r}: raise data.max_length, or set evaluation.pairs=0"
                )
        self._sentence_P = np.repeat(np.arange(len(texts)), [len(positions) for positions in scored])
        position_P = np.concatenate(scored)
        probes = Probes(text=self._sentence_P, position=position_P, group=position_P)
        self._cloze = Cloze(texts, probes, special=special, batch_tokens=batch_tokens)

    def score(self, model: "PreTrainedModel") -> NDArray[np.float64]:
        """Pseudo-log-likelihood, in nats, of the good and the bad sentence of each pair: (number of pairs, 2)."""
        totals = np.bincount(self._sentence_P, weights=self._cloze.score(model), minlength=2 * len(self.pairs))
        return totals.reshape(-1, 2).astype(np.float64)


def accuracies(pairs: Sequence["MinimalPair"], scores: NDArray[np.float64]) -> dict[str, float]:
    """Turn scores into shares, each in [0, 1].

    Args:
        pairs: the pairs that were scored.
        scores: (number of pairs, 2), of the good and the bad sentence.

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
