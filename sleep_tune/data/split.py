"""Which documents are trained on, developed on and tested on. Whole documents only; seeded; knows no files."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sleep_tune.data.documents import Document, Splits
from sleep_tune.errors import DataError

__all__ = ["complete_splits", "keep_words"]

SPLIT_STREAM, WORDS_STREAM = 0, 1
"""Name the two streams of draws made from data.seed."""


def complete_splits(splits: Splits, *, dev_ratio: float, seed: int) -> Splits:
    """Cut dev and test off the training documents where they are missing; the order of documents stays.

    Args:
        splits: what the corpus has.
        dev_ratio: share of the training documents that goes to each of the missing ones, at least one document.
        seed: draws which.

    Raises:
        DataError: there are too few documents to cut.
    """
    missing = [name for name in ("dev", "test") if not getattr(splits, name)]
    if not missing:
        return splits
    total = len(splits.train)
    share = max(1, round(dev_ratio * total))
    if total <= share * len(missing):
        raise DataError(
            f"the corpus has no {' and no '.join(missing)} text and too few documents to cut it from: it must have at "
            f"least {len(missing) + 1}, got {total}. Break the text into paragraphs, or add dev.txt and test.txt"
        )
    drawn = np.random.default_rng([seed, SPLIT_STREAM]).permutation(total)
    parts = {"dev": splits.dev, "test": splits.test}
    for turn, name in enumerate(missing):
        chosen = sorted(drawn[turn * share : (turn + 1) * share].tolist())
        parts[name] = tuple(splits.train[index] for index in chosen)
    rest = sorted(drawn[len(missing) * share :].tolist())
    return replace(splits, train=tuple(splits.train[index] for index in rest), dev=parts["dev"], test=parts["test"])


def keep_words(documents: Sequence[Document], max_words: int | None, *, seed: int) -> tuple[Document, ...]:
    """Draw whole documents until the next would pass `max_words` (at least one); their order stays.

    Args:
        documents: preprocessed documents.
        max_words: whitespace-separated words to keep, at most; None keeps all.
        seed: draws which.
    """
    if max_words is None:
        return tuple(documents)
    words = np.asarray([sum(len(text.split()) for text in document.sentences) for document in documents])
    drawn = np.random.default_rng([seed, WORDS_STREAM]).permutation(len(documents))
    number = max(1, int(np.searchsorted(np.cumsum(words[drawn]), max_words, side="right")))
    return tuple(documents[index] for index in sorted(drawn[:number].tolist()))
