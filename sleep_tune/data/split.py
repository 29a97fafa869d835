"""Division of documents among train, dev and test, and the choice of a part of them; seeded, by whole documents."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sleep_tune.data.documents import Document, Splits
from sleep_tune.errors import DataError

__all__ = ["complete_splits", "keep_words"]

SPLIT_STREAM, WORDS_STREAM = 0, 1
"""Numbers of the two streams of draws that are made from data.seed."""


def complete_splits(splits: Splits, *, dev_ratio: float, seed: int) -> Splits:
    """Return splits in which a missing dev or test is cut from the training documents, whose order stays.

    Args:
        splits: of the corpus; dev and test may be empty.
        dev_ratio: share of the training documents that goes to each missing split, in (0, 1); at least one document.
        seed: seed of the draw.

    Raises:
        DataError: there are too few documents.
    """
    missing = [name for name in ("dev", "test") if not getattr(splits, name)]
    if not missing:
        return splits
    total = len(splits.train)
    share = max(1, round(dev_ratio * total))
    if total <= share * len(missing):
        raise DataError(
            f"the corpus has no {' and no '.join(missing)} text, and too few documents to cut it from: expected at "
            f"least {len(missing) + 1}, got {total}. Separate paragraphs by blank lines, or add dev.txt and test.txt"
        )
    drawn = np.random.default_rng([seed, SPLIT_STREAM]).permutation(total)
    parts = {"dev": splits.dev, "test": splits.test}
    for turn, name in enumerate(missing):
        chosen = sorted(drawn[turn * share : (turn + 1) * share].tolist())
        parts[name] = tuple(splits.train[index] for index in chosen)
    rest = sorted(drawn[len(missing) * share :].tolist())
    return replace(splits, train=tuple(splits.train[index] for index in rest), dev=parts["dev"], test=parts["test"])


def keep_words(documents: Sequence[Document], max_words: int | None, *, seed: int) -> tuple[Document, ...]:
    """Return randomly drawn documents of at most `max_words` words in all (but at least one), in their old order.

    Args:
        documents: preprocessed documents.
        max_words: greatest number of whitespace-separated words; None keeps all documents.
        seed: seed of the draw.
    """
    if max_words is None:
        return tuple(documents)
    words = np.asarray([sum(len(text.split()) for text in document.sentences) for document in documents])
    drawn = np.random.default_rng([seed, WORDS_STREAM]).permutation(len(documents))
    number = max(1, int(np.searchsorted(np.cumsum(words[drawn]), max_words, side="right")))
    return tuple(documents[index] for index in sorted(drawn[:number].tolist()))
