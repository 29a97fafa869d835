"""Division of documents among train, dev and test, and the choice of a part of them; seeded, by whole documents."""

import numpy as np
from numpy.typing import NDArray

from sleep_tune.data.documents import SPLITS
from sleep_tune.errors import DataError

__all__ = ["complete_splits", "keep_words"]

SPLIT_STREAM, WORDS_STREAM = 0, 1
"""Numbers of the two streams of draws that are made from data.seed."""


def complete_splits(split_of: NDArray[np.int8], *, dev_ratio: float, seed: int) -> NDArray[np.int8]:
    """Return the split of each document, after cutting a missing dev or test from the training documents.

    Args:
        split_of: (D,) split of each document, as an index into SPLITS; dev and test may be missing.
        dev_ratio: share of the training documents that goes to each missing split, in (0, 1); at least one document.
        seed: seed of the draw.

    Raises:
        DataError: there are too few documents.
    """
    missing = [name for name in ("dev", "test") if not (split_of == SPLITS.index(name)).any()]
    if not missing:
        return split_of
    train = np.flatnonzero(split_of == SPLITS.index("train"))
    share = max(1, round(dev_ratio * len(train)))
    if len(train) <= share * len(missing):
        raise DataError(
            f"the corpus has no {' and no '.join(missing)} text, and too few documents to cut it from: expected at "
            f"least {len(missing) + 1}, got {len(train)}. Separate paragraphs by blank lines, or add dev.txt and "
            "test.txt"
        )
    drawn = train[np.random.default_rng([seed, SPLIT_STREAM]).permutation(len(train))]
    completed = split_of.copy()
    for turn, name in enumerate(missing):
        completed[drawn[turn * share : (turn + 1) * share]] = SPLITS.index(name)
    return completed


def keep_words(words: NDArray[np.int64], max_words: int, *, seed: int) -> NDArray[np.int64]:
    """Return the positions of randomly drawn documents of at most `max_words` words in all (but at least one), sorted.

    Args:
        words: (D,) whitespace-separated words of each preprocessed document.
        max_words: greatest number of words.
        seed: seed of the draw.
    """
    drawn = np.random.default_rng([seed, WORDS_STREAM]).permutation(len(words))
    number = max(1, int(np.searchsorted(np.cumsum(words[drawn]), max_words, side="right")))
    return np.sort(drawn[:number])
