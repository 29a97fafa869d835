"""Made-up experiments with a known truth: arms x seeds x items, with the scatter that minimal pairs have.

An item is right when a latent score is above 0: the item's own difficulty, the paradigm's, the run's, what the run did
to the paradigm, and what is left. Arms of one seed share nothing, which is the hardest case. Spreads give about 1.3
points of seed noise in the mean over 67 paradigms of 50 items, and up to 30 in one paradigm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

MEAN = 0.3
"""The groups' mean latent score."""


@dataclass(frozen=True)
class World:
    """Spreads on the probit scale."""

    groups: int = 20
    items: int = 15
    """In each group."""
    of_group: float = 0.8
    of_item: float = 0.8
    of_seed: float = 0.03
    of_seed_in_group: float = 0.25
    of_rest: float = 0.6

    @property
    def group_I(self) -> NDArray[np.int64]:
        """The group of each item."""
        return np.repeat(np.arange(self.groups), self.items)

    def expected(self, effect: float) -> float:
        """Percent right of an arm, over all groups, items and seeds there could be."""
        parts = (self.of_group, self.of_item, self.of_seed, self.of_seed_in_group, self.of_rest)
        return 100.0 * float(norm.cdf((MEAN + effect) / np.sqrt(sum(part**2 for part in parts))))

    def table(
        self, rng: np.random.Generator, seeds: int, effects: tuple[float, ...]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Percent right, (arms, seeds, items); and the arms' true means over all items and seeds there could be.

        An effect is a shift of the latent score. Groups are the same for everyone: they are the benchmark.
        """
        arms, total = len(effects), self.groups * self.items
        group_I = self.group_I
        level_G = rng.normal(MEAN, self.of_group, self.groups)
        item_I = rng.normal(0, self.of_item, total)
        fixed = level_G[group_I] + item_I
        run = rng.normal(0, self.of_seed, (arms, seeds, 1))
        run = run + rng.normal(0, self.of_seed_in_group, (arms, seeds, self.groups))[:, :, group_I]
        rest = rng.normal(0, self.of_rest, (arms, seeds, total))
        latent = fixed + run + rest + np.array(effects)[:, None, None]
        spread = np.sqrt(1e-12 + self.of_item**2 + self.of_seed**2 + self.of_seed_in_group**2 + self.of_rest**2)
        truth = norm.cdf((level_G[None, :] + np.array(effects)[:, None]) / spread).mean(axis=1)
        return 100.0 * (latent > 0), 100.0 * truth
