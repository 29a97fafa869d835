"""The toy corpus: documents by split and minimal pairs, a pure function of size and seed. Knows no tokens.

The pairs are drawn first and their sentences are kept out of the text, so that no pair can be answered from memory;
they do not depend on how much text is generated.
"""

import hashlib
from pathlib import Path

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
"""Name the streams of draws made from data.seed."""


def toy_corpus(data: DataConfig) -> RawCorpus:
    """The toy language, `data.sentences` of it, with dev and test text of `data.dev_ratio` as many each."""
    identity = {
        "kind": "toy",
        "sentences": str(data.sentences),
        "dev_ratio": repr(data.dev_ratio),
        "seed": str(data.seed),
        "grammar": _grammar_digest(),
    }
    return RawCorpus(identity, lambda: generate(data.sentences, data.dev_ratio, data.seed))


def generate(sentences: int, dev_ratio: float, seed: int) -> Splits:
    """Write the corpus.

    Args:
        sentences: of training text, at least (the last document is finished).
        dev_ratio: sentences of dev and of test text, each, as a share of that.
        seed: names every stream of draws.
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
    """Documents until there are as many sentences."""
    documents = []
    written = 0
    while written < sentences:
        document = write_document(draws, reserved)
        documents.append(document)
        written += len(document.sentences)
    return tuple(documents)


def _draw_pairs(draws: Draws) -> dict[str, tuple[MinimalPair, ...]]:
    """Distinct pairs of every paradigm, dealt to dev and test in turn."""
    dealt: dict[str, list[MinimalPair]] = {"dev": [], "test": []}
    for paradigm, function in PARADIGMS.items():
        pairs = _distinct(paradigm, function, 2 * PAIRS_PER_PARADIGM, draws)
        dealt["dev"] += pairs[::2]
        dealt["test"] += pairs[1::2]
    return {split: tuple(pairs) for split, pairs in dealt.items()}


def _distinct(paradigm: str, function: Paradigm, count: int, draws: Draws) -> list[MinimalPair]:
    """`count` pairs of which no two share a sentence."""
    seen: set[str] = set()
    pairs: list[MinimalPair] = []
    while len(pairs) < count:
        good, bad = function(draws)
        if good not in seen and bad not in seen:
            seen |= {good, bad}
            pairs.append(MinimalPair(paradigm, good, bad))
    return pairs


def _grammar_digest() -> str:
    """A digest of the grammar's own source: whoever changes a word of it gets other tokens, not stale ones."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
