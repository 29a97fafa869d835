"""Averages of scores in percent, as BabyLM's pipelines compute them.

Where their own scripts disagree, both values are given: `Averages.score` is what the evaluation prints,
`Averages.other` what another script computes from the same numbers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sleep_tune.babylm.score_names import counted_scores

__all__ = ["Averages", "benchmark_average", "entity_tracking_averages", "glue_averages", "macro_average"]


@dataclass(frozen=True, slots=True)
class Averages:
    """A score, and the values that other official scripts or documents compute from the same numbers."""

    score: float
    """The value that this project reports."""
    other: Mapping[str, float]
    """Name of another rule -> its value."""


def macro_average(scores: Mapping[str, float]) -> float:
    """Return the mean over groups, each counted once whatever its size: BabyLM's score of a task.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("a macro average must be taken over at least one score; got none")
    return math.fsum(scores.values()) / len(scores)


def entity_tracking_averages(accuracy: Mapping[str, float]) -> Averages:
    """Return the score of entity tracking: the mean over splits of the mean over numbers of operations.

    Args:
        accuracy: `<split>_<number>_ops` -> percent correct; the splits are regular, ambiref and move_contents, of
            which the fast data has only the first.

    Returns:
        The mean of means, as the evaluation prints; other: `mean over groups`, from `calculate_results_from_pred.py`,
        which gives more weight to a split with more groups. The two are equal if all splits have as many groups.

    Raises:
        ValueError: there are no groups, or a group has another form of name.
    """
    splits: dict[str, dict[str, float]] = {}
    for group, value in accuracy.items():
        split, _, rest = group.removesuffix("_ops").rpartition("_")
        if not split or not rest.isdigit() or not group.endswith("_ops"):
            raise ValueError(f"a group of entity tracking must be named <split>_<number>_ops; got '{group}'")
        splits.setdefault(split, {})[group] = value
    score = macro_average({split: macro_average(groups) for split, groups in splits.items()})
    return Averages(score, {"mean over groups": macro_average(accuracy)})


def glue_averages(accuracy: Mapping[str, float], f1: Mapping[str, float]) -> Averages:
    """Return the score of GLUE: the mean over tasks of F1 for MRPC and QQP and of accuracy for the others.

    Args:
        accuracy: task -> percent correct.
        f1: task -> F1 in percent; read for MRPC and QQP.

    Returns:
        The score, by the official README's rule; other: `accuracy of all`, from `calculate_results_from_pred.py`.
    """
    by_f1 = {task: f1[task] for task in ("mrpc", "qqp") if task in accuracy}
    return Averages(macro_average({**accuracy, **by_f1}), {"accuracy of all": macro_average(accuracy)})


def benchmark_average(scores: Mapping[str, float]) -> float | None:
    """Return the macro average of a model: the mean over the scores of the BabyLM tasks that were measured.

    The two scores of reading count as two, as in the official table. Zorro never counts: it is not part of BabyLM. Only
    models that were scored on the same tasks can be compared, because the scores lie on different scales.

    Args:
        scores: folder or score -> percent, of one protocol; scores that do not count are ignored, see
            `counted_scores`.

    Returns:
        None if nothing that counts was measured.
    """
    names = counted_scores(scores)
    return macro_average({task: scores[name] for task, name in names.items()}) if names else None
