"""Schedule of looks: over how many fresh seeds each arm is due, and which arms are judged next.

At a look, the evidence on the arms is judged with the runs of the first so many seeds. An arm that is decided then gets
no more seeds; an arm that is not compared, such as the reference, gets seeds as long as any other does. An arm that
joins a study later has all looks from the first on, without the others.
"""

from collections.abc import Mapping
from itertools import islice

from sleep_tune.experiment.look_evidence import ArmEvidence, Looks, find_decision
from sleep_tune.experiment.search_state import MAIN, SearchState
from sleep_tune.search.space.arm_settings import found_first
from sleep_tune.search.space.search_space import BEST, Space

__all__ = ["LookSchedule", "current_schedule"]


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
    def decided(self) -> dict[str, tuple[int, ArmEvidence]]:
        """Arm -> the number of fresh seeds with which it was decided, and the evidence then."""
        return {arm: found for arm, looks in self._taken.items() if (found := find_decision(looks)) is not None}

    @property
    def undecided(self) -> tuple[str, ...]:
        """Arms that were compared at their last look, and are not decided."""
        return tuple(
            arm
            for arm, looks in self._taken.items()
            if looks and looks[max(looks)] not in (None, ArmEvidence()) and find_decision(looks) is None
        )

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
        if (decided := find_decision(looks)) is not None:
            return decided[0]
        is_compared = None not in looks.values()
        had = max(looks, default=0) if is_compared else self._reached
        return max(had, 0 if self.number is None else self.seeds)

    def count_most(self, arm: str) -> int:
        """Return the largest number of fresh seeds over which an arm, or one to come, may be trained in the end."""
        is_open = self.number is not None and find_decision(self._taken.get(arm, {})) is None
        return self._planned[-1] if is_open or arm not in self._taken else self.count_seeds(arm)

    def _find_next(self, looks: Looks) -> int | None:
        """Return the place of an arm's next look; None if it has none."""
        if None in looks.values() or find_decision(looks) is not None:
            return None
        had = max(looks, default=0)
        return next((place for place, seeds in enumerate(self._planned) if seeds > had), None)


def current_schedule(space: Space, state: SearchState) -> LookSchedule:
    """Return the looks at the arms that the space has now, controls apart, by the log alone.

    It needs no settings of the arms, so that it can be shown from a folder. Finalists are known after the search.
    """
    is_over = state.is_over(MAIN)
    ranking = [trial.id for trial in islice(state.ranking(MAIN), max(1, space.finalists.count))] if is_over else []
    arms = [name for name, arm in space.arms.items() if arm.matched is None]
    if is_over and not ranking:
        arms = [name for name in arms if found_first(space, name) != BEST]
    names = [*space.baselines, *arms, *ranking[: space.finalists.count]]
    return LookSchedule(space.finalists.looks, {arm: state.looks_at(arm) for arm in names})
