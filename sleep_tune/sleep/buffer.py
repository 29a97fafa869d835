"""The buffer: who the candidates of a sleep are, how many of them are replayed, and which. Knows no order."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.errors import ConfigError, unknown
from sleep_tune.sleep.budget import exact
from sleep_tune.sleep.memory import Memory
from sleep_tune.sleep.scoring import priorities
from sleep_tune.sleep.selection import STRATEGIES

__all__ = ["SCOPES", "Replay", "buffer_size", "choose_buffer"]


def seen(last_read: NDArray[np.int32], cycle: int) -> NDArray[np.intp]:
    """Every sample that was read awake so far. Ascending."""
    return np.flatnonzero(last_read >= 0)


def fold(last_read: NDArray[np.int32], cycle: int) -> NDArray[np.intp]:
    """The samples that this cycle read awake. Ascending."""
    return np.flatnonzero(last_read == cycle)


SCOPES: dict[str, Callable[[NDArray[np.int32], int], NDArray[np.intp]]] = {"fold": fold, "seen": seen}
"""Name -> function (last_read (N,), cycle) -> candidates; last_read is the cycle of the last reading, -1 if none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a sleep replays: the options of sleep.replay.

    Raises:
        ConfigError: a name that no table has, or a number out of range.
    """

    strategy: str = "weighted"
    """A name in `selection.STRATEGIES`."""
    ratio: float = 0.3
    """Buffer size as a share of the candidates, in (0, 1]."""
    alpha: float = 1.0
    """Exponent of the score in the priority, >= 0."""
    decay: float = 0.0
    """Share of its priority that a candidate loses with each cycle of age, in [0, 1]."""
    floor: float = 0.0
    """The age factor never falls below this, in [0, 1]."""
    scope: str = "seen"
    """A name in `SCOPES`."""

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ConfigError(unknown("sleep.replay.strategy", self.strategy, STRATEGIES))
        if self.scope not in SCOPES:
            raise ConfigError(unknown("sleep.replay.scope", self.scope, SCOPES))
        if not 0 < self.ratio <= 1:
            raise ConfigError(f"sleep.replay.ratio must be in (0, 1]; got {self.ratio}")
        if not 0 <= self.alpha < math.inf:
            raise ConfigError(f"sleep.replay.alpha must be at least 0; got {self.alpha}")
        for name, value in (("decay", self.decay), ("floor", self.floor)):
            if not 0 <= value <= 1:
                raise ConfigError(f"sleep.replay.{name} must be in [0, 1]; got {value}")


def buffer_size(num_candidates: int, ratio: float) -> int:
    """max(1, floor(ratio x candidates)), in exact decimals: 0.57 of 100 candidates are 57."""
    return max(1, int(exact(ratio) * num_candidates))


def choose_buffer(
    candidates: NDArray[np.intp],
    memory: Memory,
    *,
    cycle: int,
    replay: Replay,
    rng: np.random.Generator,
) -> NDArray[np.int32]:
    """The samples that a sleep replays, shape (n,), each once; their order means nothing.

    Args:
        candidates: (C,) samples to choose from, C >= 1.
        memory: scores and last readings of all samples.
        cycle: now; ages are counted from it.
        replay: strategy, ratio, alpha, decay and floor.
        rng: for strategies that draw.
    """
    scores = memory.scores[candidates]
    weights = priorities(
        scores, _ages(memory, candidates, cycle), alpha=replay.alpha, decay=replay.decay, floor=replay.floor
    )
    chosen = STRATEGIES[replay.strategy](weights, scores, buffer_size(len(candidates), replay.ratio), rng)
    return candidates[chosen].astype(np.int32)


def _ages(memory: Memory, candidates: NDArray[np.intp], cycle: int) -> NDArray[np.int32]:
    """Cycles since each candidate was last read; in place, since there may be millions."""
    ages = memory.last_read[candidates]
    np.subtract(cycle, ages, out=ages)
    return ages
