"""The toy corpus: documents by split and minimal pairs, a pure function of size and seed.

The pairs are drawn first and their sentences are kept out of the text, so that no pair can be answered from memory.
They do not depend on how much text is generated.
"""

import numpy as np

from sleep_tune.config.schema import DataConfig
from sleep_tune.data.documents import Document, RawCorpus, Splits
from sleep_tune.data.pairs import MinimalPair
from sleep_tune.data.toy.draws import Draws
from sleep_tune.data.toy.genres import write_document
from sleep_tune.data.toy.paradigms import PARADIGMS, Paradigm

__all__ = ["PAIRS_PER_PARADIGM", "generate", "toy_corpus"]

PAIRS_PER_PARADIGM = 100
"""Pairs of each paradigm in each of dev and test."""
STREAMS = {"pairs": 0, "train": 1, "dev": 2, "test": 3}
"""Number of each stream of draws that is made from data.seed."""

GRAMMAR = "c37c9ab62472e3c9f0fe73c616c88fc04b2b0f4e82a0587d6e607f0f3070cdaa"
"""Version of the language, part of what identifies a corpus in the token cache and in a run's checkpoints.

Change it, to any text that was never used, whenever the same size and seed give another corpus: otherwise old tokens
would be used for the new text. The test of the language fails then.
"""


def toy_corpus(data: DataConfig) -> RawCorpus:
    """Return the corpus of `data.sentences` sentences, with `data.dev_ratio` times as many in each of dev and test."""
    identity = {
        "kind": "toy",
        "sentences": str(data.sentences),
        "dev_ratio": repr(data.dev_ratio),
        "seed": str(data.seed),
        "grammar": GRAMMAR,
    }
    return RawCorpus(identity, lambda: generate(data.sentences, data.dev_ratio, data.seed))


def generate(sentences: int, dev_ratio: float, seed: int) -> Splits:
    """Return the corpus.

    Args:
        sentences: least number of sentences of training text (the last document is completed).
        dev_ratio: sentences in each of dev and test, as a share of those in train.
        seed: seed of every stream of draws.
    """
    pairs = _draw_pairs(Draws(np.random.default_rng([seed, STREAMS["pairs"]])))
    reserved = frozenset(text for split in pairs.values() for pair in split for text in (pair.good, pair.bad))
    held_out = max(1, round(dev_ratio * sentences))
    return Splits(
        train=_write(sentences, Draws(np.random.default_rng([seed, STREAMS["train"]])), reserved),
        dev=_write(held_out, Draws(np.random.default_rng([seed, STREAMS["dev"]])), reserved),
        test=_write(held_out, Draws(np.random.default_rng([seed, STREAMS["test"]])), reserved),
        pairs=pairs,
    )


def _write(sentences: int, draws: Draws, reserved: frozenset[str]) -> tuple[Document, ...]:
    """Return documents with at least this many sentences."""
    documents = []
    written = 0
    while written < sentences:
        document = Document(*write_document(draws, reserved))
        documents.append(document)
        written += len(document.sentences)
    return tuple(documents)


def _draw_pairs(draws: Draws) -> dict[str, tuple[MinimalPair, ...]]:
    """Return distinct pairs of every paradigm by split, every second one in test."""
    dealt: dict[str, list[MinimalPair]] = {"dev": [], "test": []}
    for paradigm, function in PARADIGMS.items():
        pairs = _distinct(paradigm, function, 2 * PAIRS_PER_PARADIGM, draws)
        dealt["dev"] += pairs[::2]
        dealt["test"] += pairs[1::2]
    return {split: tuple(pairs) for split, pairs in dealt.items()}


def _distinct(paradigm: str, function: Paradigm, count: int, draws: Draws) -> list[MinimalPair]:
    """Return `count` pairs of which no two share a sentence."""
    seen: set[str] = set()
    pairs: list[MinimalPair] = []
    while len(pairs) < count:
        good, bad = function(draws)
        if good not in seen and bad not in seen:
            seen |= {good, bad}
            pairs.append(MinimalPair(paradigm, good, bad))
    return pairs
