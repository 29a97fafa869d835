"""The packed corpus as arrays: token ids, where words begin, and sources."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Samples", "SpecialTokens"]


@dataclass(frozen=True, slots=True)
class SpecialTokens:
    """Ids of the special tokens: a row is `start` and content; `separator` ends each sentence; `pad` fills the row.

    `start` and `separator` may be the same token. `pad` and `mask` are used for nothing else: content that held them
    would be treated as padding, or as masked.

    Raises:
        ValueError: `pad` or `mask` has a second role.
    """

    start: int
    separator: int
    pad: int
    mask: int

    def __post_init__(self) -> None:
        if self.pad in (self.start, self.separator, self.mask) or self.mask in (self.start, self.separator):
            raise ValueError(f"pad and mask must be tokens of their own; got {self}")


@dataclass(frozen=True)
class Samples:
    """N packed rows of T tokens.

    A row is `special.start`, then content (text tokens and the separators that end sentences), then padding.
    """

    tokens: NDArray[np.integer]
    """(N, T) int16 or int32 token ids in [0, vocab_size), memory-mapped."""
    starts_word: NDArray[np.bool_]
    """(N, T) True at the first token of each whitespace-separated word; False on special tokens and padding."""
    sources: NDArray[np.int16]
    """(N,) source of the row's first content token, as an index into `source_names`."""
    source_names: tuple[str, ...]
    """Names of the sources, such as files or parts of the corpus."""
    special: SpecialTokens
    vocab_size: int
    """Number of token ids, special tokens included."""

    def __len__(self) -> int:
        """Return the number of samples, N."""
        return len(self.tokens)

    @property
    def max_length(self) -> int:
        """Tokens in a row, T, special tokens and padding included."""
        return int(self.tokens.shape[1])

    @cached_property
    def words(self) -> NDArray[np.int32]:
        """(N,) words that begin in each row."""
        return np.asarray(self.starts_word.sum(axis=1, dtype=np.int32))

    @cached_property
    def num_words(self) -> int:
        """Words in the corpus, W: what one pass reads."""
        return int(self.words.sum(dtype=np.int64))

    def source_shares(self, samples: NDArray[np.integer] | None = None) -> dict[str, float]:
        """Return source -> share of the samples that come from it, in [0, 1].

        Args:
            samples: (M,) in [0, N), M >= 1; all N by default.
        """
        sources = self.sources if samples is None else self.sources[samples]
        counts = np.bincount(sources, minlength=len(self.source_names))
        return dict(zip(self.source_names, (counts / len(sources)).tolist(), strict=True))
