"""From option scores to the figures of a task's report: groups, sections and the average. Knows no files.

As BabyLM's pipeline has them, sums in its order included, so that reports agree to the last digit printed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sleep_tune.evaluation.human_agreement import wug_ratios, wug_rho
from sleep_tune.evaluation.items import Item, choose

__all__ = ["ACCURACY", "RHO", "TaskReport", "accuracy_report", "correlation_report", "split_report"]

ACCURACY, RHO = "ACCURACY", "SPEARMAN'S RHO"

Scores = Sequence[NDArray[np.float64]]

SPLITS = ("regular", "ambiref", "move_contents")
"""Of entity tracking; the fast data has the first."""


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What a report tells."""

    metric: str
    """ACCURACY, in percent, or RHO, from -1 to 1."""
    sections: Mapping[str, Mapping[str, float]]
    """Section -> group -> its value, in the order of the report."""
    average: float


def accuracy_report(items: Sequence[Item], scores: Scores) -> TaskReport:
    """The share of items whose right option scores highest, by group; the average is that over UIDs.

    Args:
        items: at least one.
        scores: of each item's options.
    """
    sections = _shares(items, scores)
    return TaskReport(ACCURACY, sections, _mean(sections["UID"]))


def split_report(items: Sequence[Item], scores: Scores) -> TaskReport:
    """Accuracy for entity tracking: each split is averaged over its numbers of operations, and then the splits are.

    Args:
        items: at least one, whose UIDs begin with the name of a split.
        scores: of each item's options.
    """
    sections = _shares(items, scores)
    groups = sections["UID"]
    means = {
        split: _mean({group: value for group, value in groups.items() if group.startswith(split)})
        for split in SPLITS
        if any(group.startswith(split) for group in groups)
    }
    return TaskReport(ACCURACY, {"UID": {**groups, **means}}, _mean(means))


def correlation_report(items: Sequence[Item], scores: Scores) -> TaskReport:
    """Spearman's rho of how likely the model finds the first form, and of how many people choose it.

    Args:
        items: with two options each, and the human share.
        scores: of each item's options.
    """
    human = [item.human if item.human is not None else float("nan") for item in items]
    rho = wug_rho(wug_ratios(np.stack(scores)), human)
    return TaskReport(RHO, {"UID": {"avg": rho}}, rho)


def _shares(items: Sequence[Item], scores: Scores) -> dict[str, dict[str, float]]:
    total: dict[str, Counter[str]] = {}
    right: dict[str, Counter[str]] = {}
    for item, options in zip(items, scores, strict=True):
        is_right = choose(options) == item.label
        for section, group in item.groups.items():
            total.setdefault(section, Counter())[group] += 1
            right.setdefault(section, Counter())[group] += is_right
    return {
        section: {group: 100.0 * right[section][group] / number for group, number in groups.items()}
        for section, groups in total.items()
    }


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)
