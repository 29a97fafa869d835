"""Judge of a search's looks: which arms are decided, by the comparison that also makes the verdict of the table."""

from collections.abc import Collection
from pathlib import Path

from sleep_tune.errors import DataError
from sleep_tune.experiment.look_evidence import ArmEvidence
from sleep_tune.results.arms import Arm, Comparison, mode_of
from sleep_tune.results.comparison import compare
from sleep_tune.results.sequential_contrasts import order_outcomes
from sleep_tune.statistics.conditional_power import FUTILE, conditional_power

__all__ = ["judge_look"]


def judge_look(folder: Path, seeds: Collection[int]) -> dict[str, ArmEvidence]:
    """Return the evidence on each arm that is compared with the study's reference, and whether it is decided.

    An arm is decided if its difference at the primary endpoint is significant, if it is equivalent to the reference, or
    if the planned looks that remain would hardly show either. Matched controls are not judged: they follow their arms.

    Args:
        folder: of the experiment, whose event log has the runs of these seeds.
        seeds: of the looks so far; runs of other seeds are not used.

    Raises:
        RunFolderError: a file of the experiment is not as it was written.
        DataError: the reference has no result at the primary endpoint, so no arm can be compared with it.
    """
    comparison = compare(folder, seeds=seeds)
    primary, reference = comparison.endpoints[0], comparison.reference
    if reference is None or not reference.values.get(primary):
        what = comparison.column(primary).heading
        raise DataError(f"arms must be compared with {comparison.baseline} in {what}, which has no result in it")
    judged = [arm for arm in comparison.arms if arm.parent is None and primary in arm.contrasts]
    return {arm.name: _evidence(arm, reference, comparison) for arm in judged}


def _evidence(arm: Arm, reference: Arm, comparison: Comparison) -> ArmEvidence:
    """Return the evidence on one arm at the primary endpoint."""
    made, power = arm.contrasts[comparison.endpoints[0]], _power(arm, reference, comparison)
    decided = None
    if made.is_significant:
        decided = "significant"
    elif made.is_equivalent:
        decided = "equivalent"
    elif power is not None and power < FUTILE:
        decided = "futile"
    difference = made.difference
    return ArmEvidence(
        decided=decided,
        p=made.p_holm,
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        power=power,
    )


def _power(arm: Arm, reference: Arm, comparison: Comparison) -> float | None:
    """Return the chance that a planned look that is still to come decides; None if none is."""
    primary, plan = comparison.endpoints[0], comparison.plan
    if plan is None:
        return None
    better = -1 if mode_of(primary, comparison.experiment) == "min" else 1
    shared = arm.values[primary].keys() & reference.values[primary].keys()
    outcomes = order_outcomes(arm, reference, primary, plan, better=better, seeds=shared)
    if outcomes.complete == len(plan.schedule.looks):
        return None
    family = [one.contrasts[primary] for one in comparison.arms if primary in one.contrasts]
    open_tests = sum(made.p_holm is not None and not made.is_significant for made in family)
    return conditional_power(
        outcomes.values,
        outcomes.looks,
        plan.schedule,
        outcomes.complete,
        margin=comparison.experiment.smallest,
        scale=outcomes.scale,
        better=better,
        tests=max(1, open_tests),
    )
