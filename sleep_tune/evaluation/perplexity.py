"""Pseudo-perplexity: how well a masked language model predicts held-out text. Knows the rows of a corpus only.

Only text tokens are scored: never the start of a row, a separator or padding.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sleep_tune.evaluation.cloze import Cloze, Probes
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["METHODS", "cloze_of_rows", "exact", "strided", "text_positions"]

Ints = NDArray[np.integer]


def exact(positions: Ints, stride: int) -> Ints:
    """Mask one position at a time, all the rest in view (Salazar et al. 2020): the definition.

    A row of n text tokens costs n forward passes. Takes `stride` as every method does, and ignores it.
    """
    return positions


def strided(positions: Ints, stride: int) -> Ints:
    """Mask every `stride`-th position at once, in `stride` passes with offsets 0, 1, ... stride - 1.

    Each token is still scored exactly once, its neighbours in view, at a cost of at most `stride` passes a row. A model
    that makes use of distant context misses the other masked tokens: the estimate comes out a little too high, the
    more so the smaller the stride. A stride of a row's length or more is `exact`.
    """
    return positions % stride


METHODS: dict[str, Callable[[Ints, int], Ints]] = {"exact": exact, "strided": strided}
"""Name -> function(positions, stride) -> group: positions of a row in the same group are masked together."""


def text_positions(tokens: Ints, special: SpecialTokens) -> NDArray[np.bool_]:
    """Where a text token stands, and not a special one. Same shape as `tokens`."""
    framing = [special.start, special.separator, special.pad, special.mask]
    return np.asarray(~np.isin(tokens, framing))


def cloze_of_rows(rows: Ints, special: SpecialTokens, *, method: str, stride: int, batch_tokens: int) -> Cloze:
    """Ask for every text token of packed rows, once.

    The pseudo-perplexity is the exponential of the negative mean of all answers, never a mean over rows.

    Args:
        rows: (N, T) token ids as `Samples` packs them, padded at the end of a row.
        special: the special tokens.
        method: a name of METHODS.
        stride: distance between two masked positions of a pass, at least 1; `strided` only.
        batch_tokens: tokens in one forward pass, at most.
    """
    text, position = np.nonzero(text_positions(rows, special))
    probes = Probes(text=text, position=position, group=METHODS[method](position, stride))
    width = rows.shape[1]
    lengths = width - (rows != special.pad)[:, ::-1].argmax(
        axis=1
    )  # padding is at the end of a row, which is not empty
    texts = [row[:length] for row, length in zip(rows, lengths, strict=True)]
    return Cloze(texts, probes, pad=special.pad, mask=special.mask, batch_tokens=batch_tokens)
