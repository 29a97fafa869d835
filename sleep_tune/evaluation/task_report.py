"""Numbers in the report of a zero-shot task: groups, sections and the average, from the scores of its options.

They are computed as in BabyLM's pipeline, with sums in the same order, so that reports agree in every digit.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.evaluation.human_agreement import wug_ratios, wug_rho
from sleep_tune.evaluation.items import Item

__all__ = ["ACCURACY", "RHO", "TaskReport", "accuracy_report", "correlation_report", "split_report"]

ACCURACY, RHO = "ACCURACY", "SPEARMAN'S RHO"

Scores = Sequence[NDArray[np.float64]]
Credits = NDArray[np.float64]

SPLITS = ("regular", "ambiref", "move_contents")
"""Splits of entity tracking; the fast data has only the first."""


@dataclass(frozen=True, slots=True)
class TaskReport:
    """The numbers of a report."""

    metric: str
    """ACCURACY, in percent, or RHO, from -1 to 1: the unit of all values."""
    sections: Mapping[str, Mapping[str, float]]
    """Section -> group -> value, in the order of the report."""
    average: float


def accuracy_report(items: Sequence[Item], scores: Scores, credits: Credits) -> TaskReport:
    """Return the percentage of items whose right option was chosen, by group; the average is over UIDs.

    Args:
        items: at least one.
        scores: not used.
        credits: (number of items,) from 0 to 1; see `decide`.
    """
    sections = _shares(items, credits)
    return TaskReport(ACCURACY, sections, _mean(sections["UID"]))


def split_report(items: Sequence[Item], scores: Scores, credits: Credits) -> TaskReport:
    """Return the accuracy on entity tracking: the mean over splits of the mean over numbers of operations.

    Args:
        items: at least one; their UIDs begin with the name of a split.
        scores: not used.
        credits: (number of items,) from 0 to 1; see `decide`.
    """
    sections = _shares(items, credits)
    groups = sections["UID"]
    means = {
        split: _mean({group: value for group, value in groups.items() if group.startswith(split)})
        for split in SPLITS
        if any(group.startswith(split) for group in groups)
    }
    return TaskReport(ACCURACY, {"UID": {**groups, **means}}, _mean(means))


def correlation_report(items: Sequence[Item], scores: Scores, credits: Credits) -> TaskReport:
    """Return Spearman's rho between the model's probability of option 0 and the share of people who chose it.

    Args:
        items: with two options and `human` each.
        scores: for each item (2,) log-probabilities in nats.
        credits: not used.
    """
    human = [item.human if item.human is not None else float("nan") for item in items]
    rho = wug_rho(wug_ratios(np.stack(scores)), human)
    return TaskReport(RHO, {"UID": {"avg": rho}}, rho)


def _shares(items: Sequence[Item], credits: Credits) -> dict[str, dict[str, float]]:
    total: dict[str, Counter[str]] = {}
    right: dict[str, dict[str, float]] = {}
    for item, credit in zip(items, credits.tolist(), strict=True):
        for section, group in item.groups.items():
            total.setdefault(section, Counter())[group] += 1
            right.setdefault(section, defaultdict(float))[group] += credit
    return {
        section: {group: 100.0 * right[section][group] / number for group, number in groups.items()}
        for section, groups in total.items()
    }


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)
