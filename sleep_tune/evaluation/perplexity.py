"""Perplexity: how well a language model predicts held-out text; of a model that masks it is a pseudo-perplexity.

Only text tokens are scored, not the start of a row, separators or padding.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sleep_tune.evaluation.backends import BACKENDS
from sleep_tune.evaluation.cloze import Cloze, Probes
from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["METHODS", "cloze_of_rows", "mask_one", "mask_strided", "text_positions"]

Ints = NDArray[np.integer]


def mask_one(positions: Ints, stride: int) -> Ints:
    """Mask one position in each copy of a row (Salazar et al. 2020): the definition of pseudo-perplexity.

    A row of n text tokens costs n forward passes. `stride` is ignored.
    """
    return positions


def mask_strided(positions: Ints, stride: int) -> Ints:
    """Mask every `stride`-th position in each copy of a row, with offsets 0, 1, ... stride - 1.

    Each token is scored exactly once, with its neighbours visible, at a cost of at most `stride` passes per row. The
    other masked tokens are missing from the context, so the estimate is slightly too high, the more so the smaller the
    stride. A stride of at least a row's length is the same as `mask_one`.
    """
    return positions % stride


METHODS: dict[str, Callable[[Ints, int], Ints]] = {"exact": mask_one, "strided": mask_strided}
"""Name -> function(positions (P,), stride) -> groups (P,): positions of a row in one group are masked together."""


def text_positions(tokens: Ints, special: SpecialTokens) -> NDArray[np.bool_]:
    """Return which tokens are text and not special; same shape as `tokens`."""
    framing = [special.start, special.separator, special.pad, special.mask]
    return np.asarray(~np.isin(tokens, framing))


def cloze_of_rows(
    rows: Ints, special: SpecialTokens, *, backend: str, method: str, stride: int, batch_tokens: int
) -> Cloze:
    """Prepare the scoring of every text token of packed rows, each once.

    The perplexity is the exponential of the negative mean over all tokens, not a mean over rows. A back end that does
    not mask reads each row once.

    Args:
        rows: (N, T) token ids as `Samples` packs them: no text token comes first, and padding is at the end.
        special: the special tokens.
        backend: a name of BACKENDS.
        method: a name of METHODS, for back ends that mask.
        stride: distance between two masked positions of a pass, at least 1; for `strided` only.
        batch_tokens: highest number of tokens in one forward pass.
    """
    rule = BACKENDS[backend]
    text, position = np.nonzero(text_positions(rows, special))
    group = METHODS[method](position, stride) if rule.masks else np.zeros_like(position)
    probes = Probes(text=text, position=position, group=group)
    width = rows.shape[1]
    # Padding is at the end of a row, which is not empty.
    lengths = width - (rows != special.pad)[:, ::-1].argmax(axis=1)
    texts = [row[:length] for row, length in zip(rows, lengths, strict=True)]
    mask = special.mask if rule.masks else None
    return Cloze(texts, probes, pad=special.pad, mask=mask, batch_tokens=batch_tokens, shift=rule.shift)
