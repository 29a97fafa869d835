"""Planned looks at a study: after how many seeds it is judged, and how the significance level is shared."""

from dataclasses import dataclass
from itertools import pairwise

__all__ = ["LEVEL", "MOST_SEEDS", "RESERVE", "Schedule"]

LEVEL = 0.05
"""Significance level of a study: the chance of a false claim is at most this."""

RESERVE = 0.1
"""Share of the significance level that is kept for seeds that are added after the planned looks, by default."""

EXPONENT = 1.5
"""Exponent of the spending function: a share s of the planned seeds may spend the share s^1.5 of the level.

Simulated with exponents from 0.5 to 3, looks at 5, 8 and 12 seeds and a true difference of 2 points: at paired standard
deviations of 1.0 and 1.4, alone and after Holm correction over 4 arms, the share of runs that it saves is within 3
points of the largest.
"""

MOST_SEEDS = 200
"""Largest number of seeds of a schedule with several looks: the numerical precision of bounds is checked up to here."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Numbers of seeds at which a study is judged, and the share of the significance level kept for unplanned growth.

    Raises:
        ValueError: looks that do not increase, begin below 2 or, if several, end above 200; a reserve outside [0, 0.5].
    """

    looks: tuple[int, ...]
    """Seeds of each planned look, increasing, the first at least 2."""
    reserve: float = RESERVE
    """In [0, 0.5]. At 0, seeds that are added to the last planned look never lead to a claim."""
    overspent: bool = False
    """Whether the planned looks spent the whole level, although there is a reserve.

    So it is in a study that was judged before there were reserves and that grows: claims are false with chance
    (1 + reserve) LEVEL at most.
    """

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not self.looks or self.looks[0] < 2 or any(a >= b for a, b in pairwise(self.looks)):
            raise ValueError(f"looks must be increasing numbers of seeds, at least 2; got {self.looks}")
        if len(self.looks) > 1 and self.looks[-1] > MOST_SEEDS:
            raise ValueError(f"several looks must end at {MOST_SEEDS} seeds at most; got {self.looks}")
        if not 0 <= self.reserve <= 0.5:
            raise ValueError(f"the reserve must be in [0, 0.5]; got {self.reserve}")

    @property
    def level(self) -> float:
        """Level with which every p of this schedule is compared, in (0, 0.05]; that of the planned looks."""
        return LEVEL if self.overspent else round(LEVEL * (1 - self.reserve), 12)  # .045, not .045000000000000005

    @property
    def growth_level(self) -> float:
        """Level that growth after the planned looks may spend."""
        return round(LEVEL * self.reserve, 12)

    @property
    def spent(self) -> tuple[float, ...]:
        """(K,) share of the level of the planned looks that is spent by each of them; the last is 1."""
        return tuple((seeds / self.looks[-1]) ** EXPONENT for seeds in self.looks)

    @property
    def increments(self) -> tuple[float, ...]:
        """(K,) share of the level of the planned looks that each of them adds; their sum is 1."""
        return tuple(after - before for before, after in pairwise((0.0, *self.spent)))
