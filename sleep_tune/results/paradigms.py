"""Differences to the baseline in each paradigm: each group of test items of a task, such as BLiMP's 67 paradigms.

Seeds and the items of the paradigm are both random samples (`crossed_difference`). Holm's correction is over the
paradigms of one task and one arm. This shows where a difference comes from; the task's score says whether there is one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from sleep_tune.babylm.challenge import CHANCE, FOLDERS
from sleep_tune.babylm.protocols import split_score
from sleep_tune.metric_names import split_variant
from sleep_tune.results.arms import Arm, Comparison
from sleep_tune.results.columns import PAIRS, cut_difference
from sleep_tune.results.contrasts import paired_answers
from sleep_tune.statistics.crossed_design import crossed_difference
from sleep_tune.statistics.fixed_sample import Difference, holm

__all__ = ["ParadigmDifference", "chance_level", "compare_paradigms", "tabulate_paradigms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ParadigmDifference:
    """An arm's difference to the baseline in one paradigm, in the unit of its endpoint (percent, or a share)."""

    endpoint: str
    arm: str
    paradigm: str
    items: int
    score: float
    """The arm's mean over shared seeds and the paradigm's items."""
    baseline_score: float
    chance: float | None
    """Score of a random model; None where it is unknown."""
    at_chance: bool
    """Whether neither arm's 95% interval is above chance: the paradigm then says little about either."""
    difference: Difference
    """Arm minus baseline; from a single seed without an interval."""
    p_holm: float | None
    """Corrected over the paradigms of this endpoint and arm; None from a single seed."""

    @property
    def is_significant(self) -> bool:
        """Whether the difference is significant at 5% after Holm correction."""
        return self.p_holm is not None and self.p_holm < 0.05


def compare_paradigms(comparison: Comparison) -> list[ParadigmDifference]:
    """Return every arm's differences to the baseline in each paradigm, where both arms kept their answers.

    Ordered by endpoint, then by arm: finalists, others that the verdict is about, controls; then by difference, the
    largest first. A task whose items are one group has no paradigms.
    """
    reference = comparison.reference
    if reference is None:
        return []
    first = sorted(comparison.compared, key=lambda arm: arm.kind != "finalist")
    arms = [*first, *(arm for arm in comparison.arms if arm not in first and arm is not reference)]
    return [
        row
        for endpoint in comparison.endpoints
        for arm in arms
        for row in _corrected(list(_differences(arm, reference, endpoint)))
    ]


def chance_level(endpoint: str) -> float | None:
    """Return a random model's score in each paradigm of an endpoint, in its unit; None where it is unknown.

    >>> chance_level("babylm2026/global_piqa_parallel"), chance_level("babylm/my_task")
    (25.0, None)
    """
    plain = split_variant(endpoint)[1]
    if plain == PAIRS:
        return 0.5
    found = split_score(plain)
    return None if found is None else CHANCE.get(FOLDERS.get(found[1], ""))


def tabulate_paradigms(rows: Sequence[ParadigmDifference]) -> pd.DataFrame:
    """Return one row per endpoint, arm and paradigm; at least one is needed.

    Columns: endpoint, arm, paradigm, items, seeds (shared with the baseline), score, baseline_score, chance,
    difference, low, high (95% interval), error (standard error), p, p_holm (over the paradigms of endpoint and arm).
    """
    records = [
        {
            "endpoint": row.endpoint,
            "arm": row.arm,
            "paradigm": row.paradigm,
            "items": row.items,
            "seeds": row.difference.count,
            "score": row.score,
            "baseline_score": row.baseline_score,
            "chance": row.chance,
            "difference": row.difference.mean,
            "low": row.difference.low,
            "high": row.difference.high,
            "error": row.difference.error,
            "p": row.difference.p,
            "p_holm": row.p_holm,
        }
        for row in rows
    ]
    return pd.DataFrame(records).astype(dict.fromkeys(("chance", "low", "high", "error", "p", "p_holm"), "float64"))


def _differences(arm: Arm, reference: Arm, endpoint: str) -> Iterator[ParadigmDifference]:
    """Yield an arm's uncorrected differences at one endpoint, in the order of the paradigms in the items' table."""
    shared = sorted(arm.values.get(endpoint, {}).keys() & reference.values.get(endpoint, {}).keys())
    answers = paired_answers(arm, reference, endpoint, shared)
    if answers is None or len(answers[3]) < 2:
        return
    ours_SI, theirs_SI, group_I, names_G = answers
    chance = chance_level(endpoint)
    for group, name in enumerate(names_G):
        inside = group_I == group
        ours, theirs = ours_SI[:, inside], theirs_SI[:, inside]
        yield ParadigmDifference(
            endpoint=endpoint,
            arm=arm.name,
            paradigm=name,
            items=int(inside.sum()),
            score=float(ours.mean()),
            baseline_score=float(theirs.mean()),
            chance=chance,
            at_chance=chance is not None and not (_is_above(ours, chance) or _is_above(theirs, chance)),
            difference=cut_difference(endpoint, _crossed(ours, theirs)),
            p_holm=None,
        )


def _corrected(rows: list[ParadigmDifference]) -> list[ParadigmDifference]:
    """Return the rows of one endpoint and arm with Holm's correction, the largest difference first."""
    tests = [at for at, row in enumerate(rows) if row.difference.p is not None]
    corrected = dict(zip(tests, holm([rows[at].difference.p or 0.0 for at in tests]), strict=True))
    made = [replace(row, p_holm=corrected.get(at)) for at, row in enumerate(rows)]
    return sorted(made, key=lambda row: (-row.difference.mean, row.paradigm))


def _is_above(values_SI: np.ndarray, chance: float) -> bool:
    """Return whether (S, I) scores are above chance: the whole interval, or the mean where there is no interval."""
    found = _crossed(values_SI, np.full_like(values_SI, chance))
    return (found.mean if found.low is None else found.low) > 0


def _crossed(ours_SI: np.ndarray, theirs_SI: np.ndarray) -> Difference:
    return crossed_difference(ours_SI, theirs_SI, np.zeros(ours_SI.shape[1], dtype=np.int64))
