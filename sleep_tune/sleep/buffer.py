"""The replay buffer: its candidates, its size, and the choice of its samples."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.sleep.budget import to_fraction
from sleep_tune.sleep.normalisation import NORMALISATIONS
from sleep_tune.sleep.priorities import priorities
from sleep_tune.sleep.sample_history import SampleHistory
from sleep_tune.sleep.selection import STRATEGIES, UNSCORED, Strategy
from sleep_tune.sleep.signals import SIGNALS, SIGNED

__all__ = ["SCOPES", "Replay", "buffer_size", "choose_buffer"]


def seen(last_read: NDArray[np.int32], cycle: int) -> NDArray[np.intp]:
    """Return all samples that have been read awake so far, (C,) ascending."""
    return np.flatnonzero(last_read >= 0)


def fold(last_read: NDArray[np.int32], cycle: int) -> NDArray[np.intp]:
    """Return the samples that were read awake in this cycle, (C,) ascending."""
    return np.flatnonzero(last_read == cycle)


SCOPES: dict[str, Callable[[NDArray[np.int32], int], NDArray[np.intp]]] = {"fold": fold, "seen": seen}
"""Name of `sleep.replay.scope` -> function (last_read, cycle) -> (C,) candidates, ascending.

`last_read` is (N,) the cycle of each sample's last wake reading, -1 before the first; `cycle` is the current one.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The options of sleep.replay: how a buffer is chosen.

    Raises:
        ConfigError: an unknown name, or a number out of range.
    """

    strategy: str | Strategy = "weighted"
    """A name in `selection.STRATEGIES`, or a function such as those."""
    ratio: float = 0.3
    """Buffer size as a share of the candidates, in (0, 1]."""
    alpha: float = 1.0
    """Exponent of the score in the priority, >= 0."""
    decay: float = 0.0
    """Share of its priority that a candidate loses with each cycle since its last reading, in [0, 1]."""
    floor: float = 0.0
    """Lower bound of the age factor (1 - decay)^age, in [0, 1]."""
    scope: str = "seen"
    """A name in `SCOPES`."""
    max_exposures: int | None = None
    """The most times that a sample is seen, awake and asleep, >= 1; None: no limit."""
    signal: str = "loss"
    """A name in `SIGNALS`: what the priority is made of."""
    refresh: float = 0.0
    """Weight of the loss of each replay in a sample's score, in [0, 1]; 0: only losses awake count."""
    normalise: str = "none"
    """A name in `NORMALISATIONS`: what stands in for the signal in the priority; not none for a signal in `SIGNED`."""
    uniform: float = 0.0
    """Share of the uniform distribution in the probabilities of a draw, in [0, 1]; strict draws nothing."""

    def __post_init__(self) -> None:
        if isinstance(self.strategy, str) and self.strategy not in STRATEGIES:
            raise ConfigError(unknown("sleep.replay.strategy", self.strategy, STRATEGIES))
        if self.scope not in SCOPES:
            raise ConfigError(unknown("sleep.replay.scope", self.scope, SCOPES))
        if self.signal not in SIGNALS:
            raise ConfigError(unknown("sleep.replay.signal", self.signal, SIGNALS))
        if self.normalise not in NORMALISATIONS:
            raise ConfigError(unknown("sleep.replay.normalise", self.normalise, NORMALISATIONS))
        if self.signal in SIGNED and self.normalise == "none":
            raise ConfigError(f"sleep.replay.normalise must not be none with sleep.replay.signal={self.signal}")
        if not 0 < self.ratio <= 1:
            raise ConfigError(f"sleep.replay.ratio must be in (0, 1]; got {self.ratio}")
        if not 0 <= self.alpha < math.inf:
            raise ConfigError(f"sleep.replay.alpha must be at least 0; got {self.alpha}")
        if self.max_exposures is not None and self.max_exposures < 1:
            raise ConfigError(f"sleep.replay.max_exposures must be at least 1; got {self.max_exposures}")
        for name in ("decay", "floor", "refresh", "uniform"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"sleep.replay.{name} must be in [0, 1]; got {getattr(self, name)}")


def buffer_size(num_candidates: int, ratio: float) -> int:
    """Return max(1, floor(ratio x candidates)), computed in decimals: 0.57 of 100 candidates is 57.

    Args:
        num_candidates: C, >= 1.
        ratio: in (0, 1].
    """
    return max(1, int(to_fraction(ratio) * num_candidates))


def choose_buffer(
    candidates: NDArray[np.intp],
    history: SampleHistory,
    *,
    sources: NDArray[np.int16],
    size: int | None = None,
    cycle: int,
    replay: Replay,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """Return the samples that a sleep phase replays, (n,) int32, each once, in no meaningful order.

    Args:
        candidates: (C,) distinct samples to choose from, C >= 1.
        history: scores and last readings of all N samples.
        sources: (N,) source of each sample.
        size: n, in [1, C]; None: the share of the candidates that the options say.
        cycle: the current cycle; the age of a candidate is this less the cycle of its last reading.
        replay: strategy and ratio, and how priorities are computed.
        rng: for strategies that draw.
    """
    choose = STRATEGIES[replay.strategy] if isinstance(replay.strategy, str) else replay.strategy
    size = size or buffer_size(len(candidates), replay.ratio)
    if replay.strategy in UNSCORED:
        alike = np.broadcast_to(np.float64(1), candidates.shape)
        return candidates[choose(alike, alike, size, rng)].astype(np.int32)
    scores = history.scores[candidates]
    last_read = history.last_read[candidates]
    weights = priorities(
        NORMALISATIONS[replay.normalise](
            SIGNALS[replay.signal](candidates, scores, history.previous), last_read, sources[candidates]
        ),
        np.subtract(cycle, last_read, out=last_read),  # ages; in place, since there may be millions
        alpha=replay.alpha,
        decay=replay.decay,
        floor=replay.floor,
        uniform=replay.uniform,
    )
    return candidates[choose(weights, scores, size, rng)].astype(np.int32)
