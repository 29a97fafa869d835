"""Schedule of looks: over how many fresh seeds each arm is due, and which arms are judged next.

At a look, the evidence on the arms is judged with the runs of the first so many seeds. An arm that is decided then gets
no more seeds; an arm that is not compared, such as the reference, gets seeds as long as any other does. An arm that
joins a study later has all looks from the first on, without the others.
"""

from collections.abc import Mapping

from sleep_tune.experiment.look_evidence import ArmEvidence

__all__ = ["LookSchedule"]

Looks = Mapping[int, ArmEvidence | None]
"""Number of fresh seeds at a look -> the evidence on an arm then; None if the arm was not compared."""


class LookSchedule:
    """Looks of the arms that a study has now.

    Args:
        planned: numbers of fresh seeds, ascending. With a single one, all arms have as many, and there are no looks.
        taken: arm -> its looks so far.
    """

    def __init__(self, planned: tuple[int, ...], taken: Mapping[str, Looks]) -> None:
        self._planned = planned
        self._taken = taken
        self._reached = max((seeds for looks in taken.values() for seeds in looks), default=0)
        steps = {arm: self._find_next(looks) for arm, looks in taken.items()} if len(planned) > 1 else {}
        following = min((step for step in steps.values() if step is not None), default=None)
        self.number = None if following is None else following + 1
        """Number of the next look, from 1; None if no arm needs one any more."""
        self.arms = tuple(arm for arm, step in steps.items() if step is not None and step == following)
        """Arms that are judged at it."""

    @property
    def seeds(self) -> int:
        """Number of fresh seeds at the next look; if there is none, of those that any arm has had."""
        if len(self._planned) == 1:
            return self._planned[0]
        return self._reached if self.number is None else self._planned[self.number - 1]

    def count_seeds(self, arm: str) -> int:
        """Return the number of fresh seeds over which an arm is due by now."""
        looks = self._taken[arm]
        if len(self._planned) == 1:
            return self._planned[0]
        if (decided := decided_at(looks)) is not None:
            return decided
        is_compared = None not in looks.values()
        had = max(looks, default=0) if is_compared else self._reached
        return max(had, 0 if self.number is None else self.seeds)

    def _find_next(self, looks: Looks) -> int | None:
        """Return the place of an arm's next look; None if it has none."""
        if None in looks.values() or decided_at(looks) is not None:
            return None
        return next((place for place, seeds in enumerate(self._planned) if seeds not in looks), None)


def decided_at(looks: Looks) -> int | None:
    """Return the number of fresh seeds with which an arm was decided; None if it was not."""
    return min((seeds for seeds, found in looks.items() if found is not None and found.decided), default=None)
