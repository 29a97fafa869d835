"""Small corpora for the tests of the mechanism: packed rows with sentences, words and sources."""

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.samples import Samples, SpecialTokens

SPECIAL = SpecialTokens(start=0, separator=1, pad=2, mask=3)
FIRST_TEXT = 5


def packed(num_samples: int, max_length: int, *, seed: int = 0, padded: bool = False) -> Samples:
    """Random sentences packed row after row; the last row is padded, or with `padded` any row may be."""
    rng = np.random.default_rng([seed, 77])
    tokens = np.full((num_samples, max_length), SPECIAL.pad, np.int16)
    tokens[:, 0] = SPECIAL.start
    lengths = np.full(num_samples, max_length - 1)
    if padded:
        lengths = rng.integers(1, max_length, num_samples)
    lengths[-1] = rng.integers(1, max_length)
    starts_word = np.zeros(tokens.shape, np.bool_)
    for row, length in enumerate(lengths):
        content = rng.integers(FIRST_TEXT, 100, length)
        ends = rng.random(length) < 0.2
        ends[0] = False  # every row holds text to predict
        tokens[row, 1 : 1 + length] = np.where(ends, SPECIAL.separator, content)
        starts_word[row, 1 : 1 + length] = ~ends & (rng.random(length) < 0.8)
    starts_word[0, 1] = True
    return Samples(
        tokens=tokens,
        starts_word=starts_word,
        sources=rng.integers(0, 2, num_samples).astype(np.int16),
        source_names=("books", "talk"),
        special=SPECIAL,
        vocab_size=100,
    )


def of_words(words: NDArray[np.integer]) -> Samples:
    """A corpus whose row i begins words[i] words: nothing else of it matters."""
    width = int(words.max()) + 1
    starts_word = np.arange(width) <= words[:, None]
    starts_word[:, 0] = False
    tokens = np.full(starts_word.shape, FIRST_TEXT, np.int16)
    tokens[:, 0] = SPECIAL.start
    return Samples(
        tokens=tokens,
        starts_word=starts_word,
        sources=np.zeros(len(words), np.int16),
        source_names=("all",),
        special=SPECIAL,
        vocab_size=100,
    )
