"""Random choices for a grammar, made from one stream of uniform numbers."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

__all__ = ["Draws"]

T = TypeVar("T")
BLOCK = 8192
"""Numbers drawn from numpy at a time: a call for each choice would take most of the time."""


class Draws:
    """Choices made from one seeded stream."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._block: list[float] = []

    def uniform(self) -> float:
        """Return a number in [0, 1)."""
        if not self._block:
            self._block = self._generator.random(BLOCK).tolist()
        return self._block.pop()

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self.uniform() < probability

    def below(self, bound: int) -> int:
        """Return an integer in [0, bound)."""
        return int(self.uniform() * bound)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, all equally likely."""
        return items[int(self.uniform() * len(items))]

    def pick_early(self, items: Sequence[T]) -> T:
        """Return one of the items, the first ones more often, as the words of a language differ in frequency."""
        return items[int(self.uniform() ** 1.5 * len(items))]

    def pick_weighted(self, items: Sequence[T], cumulative: Sequence[int]) -> T:
        """Return one of the items by weight; `cumulative` holds the running sums of the integer weights."""
        draw = self.uniform() * cumulative[-1]
        return next(item for item, bound in zip(items, cumulative, strict=True) if draw < bound)
