"""Evidence look by look: what the study showed of each arm at every planned look so far, and what it shows now."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import pandas as pd

from sleep_tune.results.arms import Arm, Comparison, Contrast, mode_of
from sleep_tune.results.contrasts import add_contrasts
from sleep_tune.results.frames import make_frame
from sleep_tune.results.sequential_contrasts import is_planned

__all__ = ["LookRow", "list_looks", "tabulate_looks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LookRow:
    """An arm's difference from the baseline at the primary endpoint, at one look."""

    arm: str
    look: int | None
    """Planned look, from 1; None for the evidence at present, between two looks or after the last."""
    contrast: Contrast
    """With p and interval as they were at this look."""
    decided: str | None = None
    """Why the arm got no more seeds after this look: significant, equivalent or futile."""

    @property
    def state(self) -> str:
        """That, or 'not decided'."""
        return self.decided or "not decided"


def list_looks(comparison: Comparison) -> list[LookRow]:
    """Return the evidence on each arm of the study at each look that is complete for it, and at present.

    A study whose number of seeds was fixed has one look. Matched controls are left out.
    """
    primary, plan = comparison.endpoints[0], comparison.plan
    now = {
        arm.name: arm for arm in comparison.arms if primary in arm.contrasts and arm.parent is None and is_planned(arm)
    }
    rows: dict[str, list[LookRow]] = {name: [] for name in now}
    if plan is None:
        return [LookRow(arm=name, look=1, contrast=arm.contrasts[primary]) for name, arm in now.items()]
    lower = [primary] if mode_of(primary, comparison.experiment) == "min" else []
    for number, count in enumerate(plan.schedule.looks, 1):
        order = plan.order[:count]
        then = add_contrasts(
            [
                _at_seeds(arm, [seed for seed in order if plan.look(seed, arm.name) <= number])
                if is_planned(arm)
                else arm
                for arm in comparison.arms
            ],
            comparison.baseline,
            (primary,),
            smallest=comparison.experiment.smallest,
            lower=lower,
            plan=replace(plan, order=order),
        )
        for arm in then:
            made = arm.contrasts.get(primary)
            if arm.name in now and made is not None and made.looks == number:
                decided = arm.decided.reason if arm.decided is not None and arm.decided.seeds == count else None
                rows[arm.name].append(LookRow(arm=arm.name, look=number, contrast=made, decided=decided))
    for name, arm in now.items():
        made = arm.contrasts[primary]
        if not rows[name] or rows[name][-1].contrast.seeds < made.seeds:
            rows[name].append(LookRow(arm=name, look=None, contrast=made))
    return [row for found in rows.values() for row in found]


def _at_seeds(arm: Arm, seeds: Collection[int]) -> Arm:
    """Return an arm as it was when it had runs of these seeds only."""
    return replace(
        arm,
        seeds=tuple(seed for seed in arm.seeds if seed in seeds),
        failures={seed: reason for seed, reason in arm.failures.items() if seed in seeds},
        diverged=arm.diverged & frozenset(seeds),
        values={key: {s: value for s, value in found.items() if s in seeds} for key, found in arm.values.items()},
        answers={key: {s: row for s, row in found.items() if s in seeds} for key, found in arm.answers.items()},
        contrasts={},
    )


def tabulate_looks(comparison: Comparison) -> pd.DataFrame:
    """Return one row per arm and look at the primary endpoint.

    Columns: experiment, arm, metric, look (planned, from 1; missing for the evidence between two looks or after the
    last), seeds (with a result, diverged ones included), difference, low, high (repeated confidence interval), error
    (standard error), p, p_holm (over the arms at this look), level (a p_holm below it is significant), decided (why the
    arm got no more seeds after it).
    """
    return make_frame("looks", list(_records(comparison)))


def _records(comparison: Comparison) -> Iterator[dict[str, object]]:
    for row in list_looks(comparison):
        made = row.contrast
        yield {
            "experiment": comparison.experiment.name,
            "arm": row.arm,
            "metric": comparison.endpoints[0],
            "look": row.look,
            "seeds": made.seeds,
            "difference": made.difference.mean,
            "low": made.difference.low,
            "high": made.difference.high,
            "error": made.difference.error,
            "p": made.difference.p,
            "p_holm": made.p_holm,
            "level": made.level,
            "decided": row.decided,
        }
