"""A judge over the results in a search's log: plain paired t statistics, so that whole searches can look in tests."""

import math
import statistics
from collections.abc import Callable, Iterable, Mapping

from sleep_tune.experiment.look_evidence import ArmEvidence, Judge
from sleep_tune.experiment.search_state import TrialState, fold_events
from sleep_tune.records import Event

SIGNIFICANT, FUTILE = 6.0, 0.5
"""Smallest t of an arm that is significant, and largest of one that is futile."""


def judge_events(events: Callable[[], Iterable[Event]], reference: str = "epochs") -> Judge:
    """Return a judge of the runs in a log, which is read at each look; it compares neither controls nor baselines."""

    def judge(seeds: tuple[int, ...]) -> Mapping[str, ArmEvidence]:
        values: dict[str, dict[int, float]] = {}
        compared: dict[str, None] = {}
        for run in fold_events(events()).trials.values():
            if run.study or run.seed not in seeds:
                continue
            assert run.ended
            if run.role != "baseline" and run.matched is None:
                compared[run.arm] = None
            if run.value is not None:
                values.setdefault(run.arm, {})[run.seed] = run.value
        return {arm: _evidence(values.get(arm, {}), values.get(reference, {})) for arm in compared}

    return judge


def _evidence(arm: Mapping[int, float], reference: Mapping[int, float]) -> ArmEvidence:
    differences = [arm[seed] - reference[seed] for seed in arm.keys() & reference.keys()]
    if len(differences) < 2:
        return ArmEvidence()
    mean, error = statistics.fmean(differences), statistics.stdev(differences) / math.sqrt(len(differences))
    t = abs(mean) / error if error else math.inf
    decided = "significant" if t >= SIGNIFICANT else "futile" if t <= FUTILE else None
    return ArmEvidence(decided=decided, p=math.erfc(t / math.sqrt(2)), difference=mean)


def seeds_by_arm(trials: Iterable[TrialState]) -> dict[str, list[int]]:
    """Return the seeds of the runs over fresh seeds, by arm."""
    seeds: dict[str, list[int]] = {}
    for run in trials:
        if not run.study:
            seeds.setdefault(run.arm, []).append(run.seed)
    return seeds
