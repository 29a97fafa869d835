"""Whether a run has come apart: losses that stay up after the model had learned, told from sleep's own jumps.

A sleep's losses jump: a buffer of hard samples begins high and is soon known by heart. After a long sleep the first
losses awake are high too, until the model has found back. So nothing is concluded from one phase while the other goes
well, nor from a moment: every loss, in whatever phase, has to stay up for a share of the budget, wake losses among
them. What is up is measured by wake losses alone. Knows no files and no stream.
"""

import math
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import Diverged

__all__ = ["Guard", "unigram_entropy"]

WINDOW = 5
"""Lines with wake losses whose mean is taken: what a single line of few batches says is noise."""
MIN_LINES = 3
"""Lines in a row that have to be up, however long the stretch between two is."""
SAMPLED_TOKENS = 2**20
"""Frequencies are counted over about so many tokens, so that no run waits for it."""
LEARNED = 0.2
"""A model whose wake loss has fallen by less than this share of that of knowing nothing has nothing to lose yet."""


class Guard:
    """Watches the lines of losses.

    Attributes:
        lowest: the lowest mean of `WINDOW` wake losses in a row so far, in nats; infinite before the first.
    """

    def __init__(self, *, level: float, patience: float, entropy: float, vocab_size: int) -> None:
        """Begin with nothing seen.

        Args:
            level: share in (0, 1] of what was learned that losses have to give back to be up.
            patience: words over which they have to stay there; infinite never ends a run.
            entropy: loss of a model that knows tokens' frequencies alone, in nats.
            vocab_size: a model that knows nothing has the logarithm of this as its loss.
        """
        self.lowest = math.inf
        self._level = level
        self._patience = patience
        self._knowing_nothing = sorted((entropy, math.log(vocab_size)))
        self._window: deque[float] = deque(maxlen=WINDOW)
        self._up_since: int | None = None
        self._lines_up = 0
        self._wake_is_up = False

    def watch(self, losses: Mapping[str, float], words_seen: int) -> None:
        """Take a line of losses in.

        Args:
            losses: `loss/wake` and `loss/sleep`, means in nats over the batches since the line before, where there
                were any.
            words_seen: words so far.

        Raises:
            Diverged: the losses of every phase have stayed up for `patience` words.
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
                told = " and ".join(f"{loss:.3g} nats ({phase})" for phase, loss in by_phase.items())
                raise Diverged(
                    f"the training loss must come down again; it had fallen to {self.lowest:.3g} nats, has been above "
                    f"{bound:.3g} for {words_seen - self._up_since:,} words and is {told}: "
                    "lower training.learning_rate"
                )
        if "wake" in by_phase:
            self._window.append(by_phase["wake"])
        if len(self._window) == WINDOW:
            self.lowest = min(self.lowest, sum(self._window) / WINDOW)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs to conclude the same."""
        return {
            "lowest": self.lowest,
            "window": list(self._window),
            "up_since": self._up_since,
            "lines_up": self._lines_up,
            "wake_is_up": self._wake_is_up,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where `state_dict` was called."""
        self.lowest = state["lowest"]
        self._window = deque(state["window"], maxlen=WINDOW)
        self._up_since = state["up_since"]
        self._lines_up = state["lines_up"]
        self._wake_is_up = state["wake_is_up"]

    def _bound(self) -> float | None:
        """The loss above which losses are up; None while nothing has been learned that could be lost."""
        for start in self._knowing_nothing:
            if self.lowest <= (1 - LEARNED) * start:
                return self.lowest + self._level * (start - self.lowest)
        return None


def unigram_entropy(tokens: NDArray[np.integer], special: tuple[int, ...]) -> float:
    """Loss of a model that predicts every content token by its frequency.

    Args:
        tokens: (N, T) the packed corpus.
        special: ids that are never predicted.

    Returns:
        In nats.
    """
    stride = max(1, tokens.size // SAMPLED_TOKENS)
    counts = np.bincount(tokens[::stride].ravel()).astype(np.float64)
    counts[[token for token in special if token < len(counts)]] = 0
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
