"""Masking for masked language modelling: the positions that are predicted, and what the model sees there."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.sleep.samples import SpecialTokens

__all__ = ["MASKINGS", "Masked", "mask_batch", "probability_at"]


@dataclass(frozen=True, slots=True)
class Masked:
    """A batch of B rows of T tokens, of which M positions are predicted."""

    input_ids: NDArray[np.int64]
    """(B, T) what the model sees."""
    positions: NDArray[np.int64]
    """(M,) flat indices b * T + t of the predicted positions, ascending."""
    labels: NDArray[np.int64]
    """(M,) the original tokens there."""


def choose_fixed(content: NDArray[np.bool_], probability: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose the same share of every row: max(1, round(probability x content positions)), without replacement.

    A row's score is then a mean over a known number of losses, at least one.

    Args:
        content: (B, T) positions that may be predicted.
        probability: share of them, in (0, 1).
        rng: source of the draws.
    """
    available = content.sum(axis=1)
    wanted = np.where(available > 0, np.maximum(1, np.rint(probability * available)), 0).astype(np.int64)
    keys = _keys(content, rng)
    # Sorting whole rows beats a partition (it is vectorised), and keys of 53 bits have no ties to speak of.
    rows = np.arange(len(keys))
    last = np.where(wanted > 0, np.sort(keys, axis=1)[rows, wanted - 1], -1)
    return np.asarray(keys <= last[:, None])


def choose_bernoulli(content: NDArray[np.bool_], probability: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Choose each position independently, as BERT (Devlin et al., 2019); at least one in a row that has content.

    Args:
        content: (B, T) positions that may be predicted.
        probability: of each of them, in (0, 1).
        rng: source of the draws.
    """
    keys = _keys(content, rng)
    chosen = keys < probability
    empty = np.flatnonzero(~chosen.any(axis=1) & content.any(axis=1))
    chosen[empty, keys[empty].argmin(axis=1)] = True
    return chosen


def _keys(content: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return (B, T) uniform draws in [0, 1) at content, 2 elsewhere."""
    keys = rng.random(content.shape)
    keys[~content] = 2
    return keys


MASKINGS: dict[str, Callable[[NDArray[np.bool_], float, np.random.Generator], NDArray[np.bool_]]] = {
    "bernoulli": choose_bernoulli,
    "fixed": choose_fixed,
}
"""Kind -> function of (content (B, T), probability, rng) that marks the predicted positions, (B, T)."""


def probability_at(share: float, first: float, final: float | None) -> float:
    """Return the share of positions that are predicted at a point of the run, on a line from `first` to `final`.

    Ankner et al. 2024 (arXiv 2305.15096) let it fall from 0.3 to 0.15.

    Args:
        share: of the budget, in words, that was seen before the batch, in [0, 1].
        first: the probability at share 0.
        final: the probability at share 1; None: always `first`.
    """
    return first if final is None else (1 - share) * first + share * final


def mask_batch(
    input_ids: NDArray[np.integer],
    special: SpecialTokens,
    vocab_size: int,
    rng: np.random.Generator,
    *,
    kind: str,
    probability: float,
    mask_share: float,
    random_share: float,
) -> Masked:
    """Choose the positions that are predicted, and put a mask, a random token or the token itself there.

    Only text is predicted, never start, separator or pad. A random token is any but start, separator, pad and mask.

    Args:
        input_ids: (B, T) packed rows.
        special: ids of start, separator, pad and mask.
        vocab_size: number of token ids.
        rng: source of every draw.
        kind: a name in MASKINGS.
        probability: share of the content positions that are predicted, in (0, 1).
        mask_share: share of those that the mask token replaces.
        random_share: share of those that a random token replaces; mask_share + random_share <= 1, the rest stays.
    """
    content = (input_ids != special.start) & (input_ids != special.separator) & (input_ids != special.pad)
    positions = np.flatnonzero(MASKINGS[kind](content, probability, rng))
    hidden = input_ids.astype(np.int64)
    seen = hidden.reshape(-1)
    labels = seen[positions]
    draws = rng.random(len(positions))
    seen[positions[draws < mask_share]] = special.mask
    randomised = positions[(draws >= mask_share) & (draws < mask_share + random_share)]
    seen[randomised] = _random_tokens(special, vocab_size, len(randomised), rng)
    return Masked(hidden, positions, labels)


def _random_tokens(
    special: SpecialTokens, vocab_size: int, num_tokens: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Return (num_tokens,) ids drawn uniformly from all but the four special ones."""
    excluded = sorted({special.start, special.separator, special.pad, special.mask})
    tokens = rng.integers(0, vocab_size - len(excluded), num_tokens)
    for token in excluded:
        tokens += tokens >= token
    return tokens
