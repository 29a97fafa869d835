"""The fresh seeds of a study: how large a difference they show, and how many seeds arms are expected to get."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sleep_tune.metric_names import on_test
from sleep_tune.names import BASELINES
from sleep_tune.search.plan.done_runs import FINALISTS
from sleep_tune.search.plan.expected_seeds import expected_seeds, findable_difference
from sleep_tune.search.plan.seed_scatter import SeedScatter
from sleep_tune.search.space.search_space import BEST, Space
from sleep_tune.statistics.schedule import Schedule

__all__ = ["SeedCase", "SeedsOf", "plan_seeds"]

SeedsOf = Mapping[str, float]
"""Baseline, arm, or `FINALISTS` -> number of seeds of each of its arms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedCase:
    """How many seeds arms are expected to get, if all true differences have a certain size."""

    difference: float
    """True difference of each arm from the reference, in standard deviations of one run over seeds."""
    in_metric: float | None
    """The same in the unit of the primary metric; None if the scatter is not known."""
    seeds: SeedsOf


def plan_seeds(space: Space, finalists: int, scatter: SeedScatter | None) -> tuple[SeedCase, ...]:
    """Return the expected seeds without a true difference, and with one that is significant in the end with chance 80%.

    The A/A control never differs. There are none where no arm is compared: the study has one arm, no reference, or a
    single seed.

    Args:
        space: the study.
        finalists: number of finalists, >= 0.
        scatter: of the objective over seeds, if it is known.
    """
    reference, looks = space.comparison.reference, space.finalists.looks
    names = [name for name in (*space.baselines, *space.arms) if name != reference and not _parent(space, name)]
    num_arms = len(names) + finalists
    if looks[0] < 2 or not num_arms or reference not in (*space.baselines, *space.arms):
        return ()
    schedule = Schedule(looks, space.comparison.reserve)
    primary = space.comparison.primary or space.objective.metric
    is_known = scatter is not None and on_test(primary) == on_test(space.objective.metric)
    unit = scatter.deviation if scatter is not None and is_known and scatter.deviation else None
    smallest, of_pair = space.comparison.smallest, math.sqrt(2)
    margin = smallest / (of_pair * unit) if smallest is not None and unit is not None else None
    is_control = [{name, reference} == set(BASELINES) for name in names] + [False] * finalists
    cases = []
    for difference in (0.0, findable_difference(schedule, num_arms)):
        found = expected_seeds(schedule, [0.0 if same else difference for same in is_control], margin)
        seeds = {**dict(zip(names, found.arms, strict=False)), reference: found.reference}
        if finalists:
            seeds[FINALISTS] = seeds[BEST] = sum(found.arms[len(names) :]) / finalists
        for name in space.arms:
            if parent := _parent(space, name):
                seeds[name] = seeds.get(parent, 0.0)
        of_run = of_pair * difference
        in_metric = None if unit is None else of_run * unit
        cases.append(SeedCase(difference=of_run, in_metric=in_metric, seeds=seeds))
    return tuple(cases)


def _parent(space: Space, name: str) -> str | None:
    """Return the arm that a control is matched to; None for any other arm."""
    return space.arms[name].matched if name in space.arms else None
