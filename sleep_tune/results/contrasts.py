"""Differences of arms to the baseline at every endpoint, with corrected p.

Where both arms kept their answers item by item, both seeds and items are random samples (`crossed_design`); elsewhere
the test is on seeds alone (`paired_difference`). Seeds at which a run diverged rank worst (`worst_rank_p`), and the
larger p counts. Where the study plans looks at its seeds, p and interval are those of its looks
(`sequential_contrasts`). Holm's correction (1979) is over three families of tests: all arms at the primary endpoint,
all arms at all other endpoints, and equivalence of all arms at the primary endpoint. Matched controls are in none of
them: they explain a difference (`gain`), and no claim is made about them.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np
import pandas as pd

from sleep_tune.results.arms import Arm, Contrast
from sleep_tune.results.columns import cut_difference
from sleep_tune.results.comparable_losses import are_comparable
from sleep_tune.results.seed_plan import SeedPlan
from sleep_tune.results.sequential_contrasts import follow_plan, is_planned, order_outcomes
from sleep_tune.statistics.crossed_design import crossed_difference, is_mean_of_groups
from sleep_tune.statistics.fixed_sample import equivalence_p, holm, paired_difference, sign_flip_p, worst_rank_p

__all__ = ["add_contrasts", "holm_family", "make_contrast", "paired_answers"]

Key = TypeVar("Key")
"""What identifies a test in its family."""


def add_contrasts(
    arms: Sequence[Arm],
    baseline: str,
    endpoints: Sequence[str],
    *,
    smallest: float | None = None,
    lower: Collection[str] = (),
    plan: SeedPlan | None = None,
) -> tuple[Arm, ...]:
    """Return the arms with their contrasts; the baseline and published rows have none.

    A loss has no contrast where it cannot be compared with the baseline's.

    Args:
        arms: one of which may be the baseline.
        baseline: name of the baseline.
        endpoints: the primary one first.
        smallest: the smallest difference of interest at the primary endpoint, in its unit.
        lower: endpoints at which less is better.
        plan: of the seeds of the study's own arms; None where their number was fixed.
    """
    reference = next((arm for arm in arms if arm.name == baseline), None)
    if reference is None:
        return tuple(arms)
    compared = [arm for arm in arms if arm is not reference and arm.kind != "published"]
    claimed = {arm.name for arm in compared if arm.parent is None or reference.kind != "baseline"}
    found: dict[tuple[str, str], Contrast] = {}
    for endpoint in endpoints:
        for arm in compared:
            if not are_comparable(arm, reference, endpoint):
                continue
            better = -1 if endpoint in lower else 1
            margin = smallest if endpoint == endpoints[0] and arm.name in claimed else None
            made = make_contrast(arm, reference, endpoint, better=better, plan=plan, margin=margin)
            if made is not None:
                found[arm.name, endpoint] = made
    primary = [key for key in found if key[1] == endpoints[0] and key[0] in claimed]
    for family in (primary, [key for key in found if key[1] != endpoints[0] and key[0] in claimed]):
        for key, p in holm_family({key: found[key].difference.p for key in family}).items():
            found[key] = replace(found[key], p_holm=p)
    for key, p in holm_family({key: found[key].p_equal for key in primary}).items():
        found[key] = replace(found[key], p_equal=p)
    by_arm = {
        arm.name: {endpoint: made for (name, endpoint), made in found.items() if name == arm.name} for arm in arms
    }
    return tuple(replace(arm, contrasts=by_arm[arm.name]) for arm in arms)


def holm_family(family: Mapping[Key, float | None]) -> dict[Key, float]:
    """Return the Holm-corrected p of a family; tests without a p are not part of it."""
    known = {key: p for key, p in family.items() if p is not None}
    return dict(zip(known, holm(list(known.values())), strict=True))


def _equal_p(made: Contrast, smallest: float) -> float | None:
    """Return the p of the equivalence test; 1 where a seed diverged, because its difference is within no margin."""
    p = equivalence_p(made.difference, smallest)
    return 1.0 if p is not None and made.diverged else p


def make_contrast(
    arm: Arm,
    reference: Arm,
    endpoint: str,
    *,
    better: int,
    seeds: Collection[int] | None = None,
    plan: SeedPlan | None = None,
    involved: Iterable[Arm] = (),
    margin: float | None = None,
) -> Contrast | None:
    """Return the difference of two arms at an endpoint, uncorrected, or None without a shared seed.

    Args:
        arm: any.
        reference: what it is compared with.
        endpoint: metric that both may have.
        better: sign of an improvement, 1 or -1.
        seeds: to use only these of the shared seeds.
        plan: of the study's seeds; it does not hold for arms trained elsewhere.
        involved: further arms whose runs must have ended for a look to be complete.
        margin: the smallest difference of interest, if equivalence is to be tested.
    """
    ours, theirs = arm.values.get(endpoint, {}), reference.values.get(endpoint, {})
    shared = sorted(ours.keys() & theirs.keys() & (ours.keys() if seeds is None else set(seeds)))
    if not shared:
        return None
    by_seed = np.array([ours[seed] - theirs[seed] for seed in shared])
    flips = sign_flip_p(by_seed) if len(shared) > 1 else None
    answers = paired_answers(arm, reference, endpoint, shared)
    if answers is None:
        plain = paired_difference([ours[seed] for seed in shared], [theirs[seed] for seed in shared])
        made = Contrast(difference=plain, p_flip=flips)
    else:
        treated_SI, reference_SI, group_I, names_G = answers
        difference = crossed_difference(treated_SI, reference_SI, group_I)
        if len(shared) == 1:
            difference = replace(difference, error=_clustered_error(treated_SI[0] - reference_SI[0], group_I))
        made = Contrast(difference=difference, p_flip=flips, items=len(group_I), groups=len(names_G))
    counted = _with_diverged(made, arm.diverged_beside(reference), reference.diverged_beside(arm), better * by_seed)
    if margin is not None:
        counted = replace(counted, p_equal=_equal_p(counted, margin))
    if plan is not None:
        counted = replace(counted, level=plan.schedule.level)
        if is_planned(arm, reference):
            outcomes = order_outcomes(arm, reference, endpoint, plan, better=better, seeds=shared, involved=involved)
            counted = follow_plan(counted, outcomes, plan, better=better, margin=margin)
    return replace(counted, difference=cut_difference(endpoint, counted.difference))


def _with_diverged(made: Contrast, ours: frozenset[int], theirs: frozenset[int], gains: np.ndarray) -> Contrast:
    """Return the contrast with the diverged seeds counted: p is the larger of the rank test's and the survivors' p.

    A seed counts whether or not the other arm has run it, so that a missing run is no advantage. Where an arm that
    diverged is also worse at the seeds that survived, p is the survivors': a rank test of few seeds has no power to
    show it.

    Args:
        made: over the seeds at which neither diverged.
        ours: seeds at which the arm diverged.
        theirs: seeds at which the baseline diverged.
        gains: (n,) differences at the other seeds, positive where the arm is better.
    """
    if not ours | theirs:
        return made
    lost, won = len(ours - theirs), len(theirs - ours)
    difference = made.difference
    if difference.p is not None and (won or gains.mean() >= 0):
        difference = replace(difference, p=max(difference.p, worst_rank_p(gains, lost, won)))
    return replace(made, difference=difference, lost=lost, won=won, both=len(ours & theirs))


def paired_answers(
    arm: Arm, reference: Arm, endpoint: str, seeds: Sequence[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[str, ...]] | None:
    """Return both arms' item scores at an endpoint, (S, I) each, (I,) the items' groups, and the G names of the groups.

    None where a table of items is missing, or its mean over groups is not the score.

    Args:
        arm: any.
        reference: of which the items must be the same.
        endpoint: in whose unit the scores are.
        seeds: S that both arms have a value of.
    """
    ours, theirs = arm.answers.get(endpoint, {}), reference.answers.get(endpoint, {})
    rows = [table.get(seed) for table in (ours, theirs) for seed in seeds]
    if not rows or any(row is None or row.empty for row in rows):
        return None
    index = rows[0].index  # type: ignore[union-attr]
    if any(not row.index.equals(index) for row in rows[1:]):  # type: ignore[union-attr]
        return None
    codes, names = pd.factorize(index.get_level_values(0))
    group_I = np.asarray(codes)
    values = np.array([np.asarray(row, dtype=np.float64) for row in rows])
    expected = [*(arm.values[endpoint][seed] for seed in seeds), *(reference.values[endpoint][seed] for seed in seeds)]
    if not all(is_mean_of_groups(score, row, group_I) for row, score in zip(values, expected, strict=True)):
        return None
    return values[: len(seeds)], values[len(seeds) :], group_I, tuple(map(str, names))


def _clustered_error(difference_I: np.ndarray, group_I: np.ndarray) -> float | None:
    """Return the standard error of the mean over groups as a random sample; it describes two checkpoints only."""
    means = np.bincount(group_I, difference_I) / np.bincount(group_I)
    return float(means.std(ddof=1)) / math.sqrt(means.size) if means.size > 1 else None
