"""Differences over seeds of a study that is judged look by look: p and interval that hold whenever one looks.

A look is complete for a difference when all runs of its seeds have ended in all arms that the difference involves,
whatever other arms still train. So a table made between two looks is valid.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from itertools import takewhile

from scipy.special import stdtrit

from sleep_tune.results.arms import Arm, Contrast
from sleep_tune.results.seed_plan import SeedPlan
from sleep_tune.statistics.fixed_sample import Difference
from sleep_tune.statistics.group_sequential import planned_law
from sleep_tune.statistics.sequential import sequential_difference, sequential_equivalence

__all__ = ["SeedOutcomes", "follow_plan", "is_planned", "level_of_look", "order_outcomes"]


@dataclass(frozen=True, slots=True)
class SeedOutcomes:
    """Outcomes of a difference at the seeds of a study, in the study's order."""

    values: tuple[float, ...]
    """Arm minus reference; infinite where one of the two diverged, with the sign of a worst value of that arm."""
    looks: tuple[int, ...]
    """The look to which each seed belongs, from 1."""
    complete: int
    """Planned looks of which all runs have ended."""
    settled: int
    """Number of outcomes before the first seed of which a run has not ended."""
    scale: float
    """Size of the values that were subtracted."""


def is_planned(*arms: Arm) -> bool:
    """Return whether all these arms belong to the study itself, whose plan holds for their seeds."""
    return not any(arm.joined or arm.kind in ("elsewhere", "published") for arm in arms)


def order_outcomes(
    arm: Arm,
    reference: Arm,
    endpoint: str,
    plan: SeedPlan,
    *,
    better: int,
    seeds: Collection[int],
    involved: Iterable[Arm] = (),
) -> SeedOutcomes:
    """Return the outcomes of arm minus reference at an endpoint.

    Args:
        arm: of the study.
        reference: of the study.
        endpoint: metric that both have.
        plan: of the study's seeds.
        better: sign of an improvement, 1 or -1.
        seeds: at which both have a value; others count only where a run diverged.
        involved: further arms whose runs must have ended for a look to be complete.
    """
    ours, theirs = arm.values[endpoint], reference.values[endpoint]
    waited = (arm, reference, *involved)
    names = dict.fromkeys(one.name for one in waited)
    our_losses, their_losses = arm.diverged_beside(reference), reference.diverged_beside(arm)

    def has_ended(seed: int, count: int = 1) -> bool:
        runs = ((one, seed in one.seeds or seed in one.failures) for one in waited)
        return all(ended or plan.had_ended(seed, one.name, count) for one, ended in runs)

    leading = frozenset(takewhile(has_ended, plan.order))
    outcomes: dict[int, float] = {}
    for seed in sorted(plan.order, key=lambda seed: plan.look(seed, *names)):
        lost, won = seed in our_losses, seed in their_losses
        if lost is not won:
            outcomes[seed] = -better * math.inf if lost else better * math.inf
        elif not lost and seed in seeds:
            outcomes[seed] = ours[seed] - theirs[seed]
    return SeedOutcomes(
        values=tuple(outcomes.values()),
        looks=tuple(plan.look(seed, *names) for seed in outcomes),
        complete=sum(
            len(plan.order) >= count and all(has_ended(seed, count) for seed in plan.order[:count])
            for count in plan.schedule.looks
        ),
        settled=sum(1 for _ in takewhile(leading.__contains__, outcomes)),
        scale=max(abs(ours[seed]) for seed in seeds) + max(abs(theirs[seed]) for seed in seeds),
    )


def follow_plan(
    made: Contrast, outcomes: SeedOutcomes, plan: SeedPlan, *, better: int, margin: float | None = None
) -> Contrast:
    """Return a contrast with the p and interval of its looks, in place of those for a fixed number of seeds.

    Where test items are a random sample too, p is the larger one of the two, and the interval holds both.

    Args:
        made: at present, for a fixed number of seeds.
        outcomes: of the same difference.
        plan: of the study's seeds.
        better: sign of an improvement, 1 or -1.
        margin: the smallest difference of interest, if equivalence is to be tested.
    """
    schedule, at_present = plan.schedule, made.difference
    made = replace(made, level=schedule.level, looks=outcomes.complete)
    if at_present.p is None:
        return made
    given = (outcomes.values, outcomes.looks, schedule, outcomes.complete)
    settled, scale = outcomes.settled, outcomes.scale
    found = sequential_difference(*given, settled=settled, scale=scale, better=better).difference
    difference = replace(at_present, p=found.p, low=found.low, high=found.high)
    if made.items is not None:
        difference = _with_items(difference, at_present, schedule.level)
    if difference.low is not None and difference.high is not None:  # of fewer seeds than the mean, between two looks
        low, high = min(difference.low, difference.mean), max(difference.high, difference.mean)
        difference = replace(difference, low=low, high=high)
    if margin is None:
        return replace(made, difference=difference)
    p_equal = sequential_equivalence(*given, margin, settled=settled, scale=scale)
    if p_equal is not None and (made.diverged or made.items is not None):
        p_equal = max(p_equal, made.p_equal or 0.0)
    return replace(made, difference=difference, p_equal=p_equal)


def level_of_look(made: Contrast, plan: SeedPlan | None, tests: int) -> float | None:
    """Return the level of a t test at present that is significant as one of several tests; None before the first look.

    Args:
        made: at the last complete look, or of a fixed number of seeds.
        plan: of the study's seeds.
        tests: number of tests that are corrected together.
    """
    if plan is None or made.looks is None:
        return made.level / tests
    if not made.looks:
        return None
    counts, increments = plan.schedule.looks[: made.looks], plan.schedule.increments[: made.looks]
    return planned_law(counts, increments).nominal(made.looks - 1, made.level / tests)


def _with_items(difference: Difference, crossed: Difference, level: float) -> Difference:
    """Return a difference whose p and interval also hold for new test items."""
    made = replace(difference, p=max(difference.p or 0.0, crossed.p or 0.0))
    if made.low is None or made.high is None or crossed.error is None or crossed.freedom is None:
        return replace(made, low=None, high=None)
    half = float(stdtrit(crossed.freedom, 1 - level / 2)) * crossed.error
    return replace(made, low=min(made.low, crossed.mean - half), high=max(made.high, crossed.mean + half))
