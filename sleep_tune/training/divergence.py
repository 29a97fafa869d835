"""Detection of divergence: losses that stay high after the model had learned.

Sleep phases change the loss too: a buffer of hard samples begins high and is soon memorised, and after a long sleep
phase the first wake losses are high until the model has adapted. So a run has diverged only if the losses of both
phases stay high for a share of the budget, wake losses among them. What counts as high is derived from wake losses
alone.
"""

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import Diverged

__all__ = ["DivergenceGuard", "unigram_entropy"]

WINDOW = 5
"""Lines with wake losses that are averaged: a single line, of few batches, is too noisy."""
MIN_LINES = 3
"""High lines in a row that are needed, however many words lie between two lines."""
SAMPLED_TOKENS = 2**20
"""Frequencies are counted over about that many tokens, which takes little time."""
LEARNED = 0.2
"""A model has learned something once its wake loss has fallen by this share of a baseline's loss."""


class DivergenceGuard:
    """Checks each line of losses for divergence.

    Attributes:
        lowest: the lowest mean of `WINDOW` wake losses in a row so far, in nats; infinite before the first.
    """

    def __init__(self, *, level: float, patience: float, entropy: float, vocab_size: int) -> None:
        """Begin before the first line.

        Args:
            level: losses are high above lowest + level x (baseline - lowest), in (0, 1].
            patience: words for which losses must stay high, > 0; with infinity no run is ended.
            entropy: loss of the unigram baseline, in nats.
            vocab_size: the loss of the uniform baseline is log(vocab_size) nats.
        """
        self.lowest = math.inf
        self._level = level
        self._patience = patience
        self._baselines = sorted((entropy, math.log(vocab_size)))
        self._window: deque[float] = deque(maxlen=WINDOW)
        self._up_since: int | None = None
        self._lines_up = 0
        self._wake_is_up = False

    def check(self, losses: Mapping[str, float], words_seen: int) -> None:
        """Add a line of losses.

        Args:
            losses: `loss/wake` and `loss/sleep`, means in nats over the batches since the line before, where there
                were any.
            words_seen: words so far.

        Raises:
            Diverged: the losses of both phases have stayed high for `patience` words.
        """
        bound = self._bound()
        by_phase = {phase: losses[f"loss/{phase}"] for phase in ("wake", "sleep") if f"loss/{phase}" in losses}
        if bound is None or min(by_phase.values()) <= bound:
            self._up_since, self._lines_up, self._wake_is_up = None, 0, False
        else:
            self._up_since = words_seen if self._up_since is None else self._up_since
            self._lines_up += 1
            self._wake_is_up |= "wake" in by_phase
            stayed = words_seen - self._up_since >= self._patience and self._lines_up >= MIN_LINES
            if stayed and self._wake_is_up:
                current = " and ".join(f"{loss:.3g} nats ({phase})" for phase, loss in by_phase.items())
                raise Diverged(
                    f"the training loss must come down again; it had fallen to {self.lowest:.3g} nats, has been above "
                    f"{bound:.3g} for {words_seen - self._up_since:,} words and is {current}: "
                    "lower training.learning_rate"
                )
        if "wake" in by_phase:
            self._window.append(by_phase["wake"])
        if len(self._window) == WINDOW:
            self.lowest = min(self.lowest, sum(self._window) / WINDOW)

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs to come to the same result, as plain numbers and lists."""
        return {
            "lowest": self.lowest,
            "window": list(self._window),
            "up_since": self._up_since,
            "lines_up": self._lines_up,
            "wake_is_up": self._wake_is_up,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.lowest = state["lowest"]
        self._window = deque(state["window"], maxlen=WINDOW)
        self._up_since = state["up_since"]
        self._lines_up = state["lines_up"]
        self._wake_is_up = state["wake_is_up"]

    def _bound(self) -> float | None:
        """Return the loss above which losses are high; None until the model has learned something."""
        for baseline in self._baselines:
            if self.lowest <= (1 - LEARNED) * baseline:
                return self.lowest + self._level * (baseline - self.lowest)
        return None


def unigram_entropy(tokens: NDArray[np.integer], special: tuple[int, ...]) -> float:
    """Return the loss of the unigram baseline, which predicts every content token by its frequency.

    Args:
        tokens: (N, T) token ids of the packed corpus.
        special: ids that are never predicted.

    Returns:
        In nats.
    """
    stride = max(1, tokens.size // SAMPLED_TOKENS)
    counts = np.bincount(tokens[::stride].ravel()).astype(np.float64)
    counts[[token for token in special if token < len(counts)]] = 0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
