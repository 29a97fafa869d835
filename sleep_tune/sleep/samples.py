"""The packed corpus as the mechanism sees it: arrays of tokens, with words and sources. Knows no tokenizer."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples", "SpecialTokens"]


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids that frame text: a row is `start` and content; `separator` ends each sentence; `pad` fills the row.

    `start` and `separator` may be one token. `pad` and `mask` are tokens of their own, which no content holds: else
    content would be taken for padding, and hidden.
    """

    start: int
    separator: int
    pad: int
    mask: int

    def __post_init__(self) -> None:
        """Refuse shared roles."""
        if self.pad in (self.start, self.separator, self.mask) or self.mask in (self.start, self.separator):
            raise ValueError(f"pad and mask must be tokens of their own; got {self}")


@dataclass(frozen=True)
class Samples:
    """N packed rows of T tokens.

    A row is `special.start`, then content (text tokens and the separators that end sentences), then padding.
    """

    tokens: NDArray[np.integer]
    """(N, T) token ids, int16 or int32, memory-mapped."""
    starts_word: NDArray[np.bool_]
    """(N, T) True at the first token of each whitespace-separated word; False on special tokens and padding."""
    sources: NDArray[np.int16]
    """(N,) index into `source_names` of the row's first content token."""
    source_names: tuple[str, ...]
    special: SpecialTokens
    vocab_size: int

    def __len__(self) -> int:
        """Number of samples, N."""
        return len(self.tokens)

    @property
    def max_length(self) -> int:
        """Tokens in a row, T."""
        return int(self.tokens.shape[1])

    @cached_property
    def words(self) -> NDArray[np.int32]:
        """(N,) words that start in each row."""
        return np.asarray(self.starts_word.sum(axis=1, dtype=np.int32))

    @cached_property
    def num_words(self) -> int:
        """W, the words of the corpus: what one pass reads."""
        return int(self.words.sum(dtype=np.int64))
