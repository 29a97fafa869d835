"""Exclusion of the test items that selected the finalists: the primary endpoint is computed on held-out items.

A search may optimise a fast task (`babylm/blimp_fast`) whose items are part of the full task that claims are about
(`babylm/blimp_filtered`). Items are matched by the fingerprint of their text, within one year's protocol.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sleep_tune.babylm.protocols import split_score
from sleep_tune.babylm.score_names import MACRO, task_of
from sleep_tune.experiment.experiment_file import Experiment
from sleep_tune.metric_names import split_variant
from sleep_tune.results.arms import Arm
from sleep_tune.results.columns import column, estimate_metric, has_several_years
from sleep_tune.statistics.crossed_design import is_mean_of_groups, mean_of_groups

__all__ = ["hold_out_items"]

TEXT = "text"


def hold_out_items(arms: Sequence[Arm], experiment: Experiment) -> tuple[tuple[Arm, ...], tuple[str, ...]]:
    """Return the arms with their values on held-out items, and notes on the items excluded or not.

    Args:
        arms: without contrasts yet. All of them are scored on the same items: without those that selected the
            finalists or, where one arm did not keep its answers, with them.
        experiment: names the objective, which selected the finalists, and the primary endpoint.
    """
    primary = experiment.primary
    objective, measured = split_variant(experiment.objective)[1], split_variant(primary)[1]
    found = any(arm.kind == "finalist" for arm in arms)
    chosen, judged = split_score(objective), split_score(measured)
    if not found or chosen is None or judged is None or chosen[0] is not judged[0]:
        return tuple(arms), ()
    name = column(primary, with_year=has_several_years(key for arm in arms for key in arm.estimates)).heading
    if objective == measured:
        note = f"Warning: the items of {name} selected the finalists and evaluate them too. For a claim, name another "
        return tuple(arms), (f"{note}primary endpoint (comparison.primary).",)
    tasks = _chosen_from(arms, objective, measured)
    if not tasks:
        return tuple(arms), ()
    folders = ", ".join(_score(task) for task in tasks)
    whole = f"Warning: the items of {folders} selected the finalists and are part of {name}, which evaluates them; "
    if judged[1] == MACRO:
        return tuple(arms), (f"{whole}for a claim, name another primary endpoint (comparison.primary).",)
    scored = [arm for arm in arms if arm.values.get(primary)]
    texts = _texts(arms, tasks)
    silent = [arm.name for arm in scored if not _keeps_texts(arm, primary)]
    if not texts or silent:
        names = ", ".join(silent) or "the runs"
        why = f"{names} did not keep their answers item by item (eval/items.parquet)"
        return tuple(arms), (f"{whole}they cannot be excluded, because {why}.",)
    cut = {arm.name: _without(arm, primary, texts) for arm in scored}
    if any(made is None for made in cut.values()):
        return tuple(arms), (f"{whole}they cannot be excluded, because its score is not a mean over groups of items.",)
    before, after = (_items(one, primary) for one in (scored[0], cut[scored[0].name] or scored[0]))
    note = (
        f"Excluded from {name}: {before - after:,} of {before:,} items, those of {folders}, because they selected the "
        f"finalists. Scores and differences of {name} are over the other {after:,}."
    )
    return tuple(cut.get(arm.name) or arm for arm in arms), (note,)


def _chosen_from(arms: Sequence[Arm], objective: str, primary: str) -> list[str]:
    """Return the tasks of the objective whose items are part of the endpoint; both by their plain names."""
    if _score(primary) == MACRO:
        return [objective]
    if _score(objective) != MACRO:
        return [objective] if _family(objective) == _family(primary) else []
    every = dict.fromkeys(key for arm in arms for key in arm.answers)
    return [key for key in every if key != primary and _family(key) == _family(primary)]


def _score(key: str) -> str:
    found = split_score(key)
    return key if found is None else found[1]


def _family(key: str) -> tuple[str, str]:
    """Return the year and the task of a score's folder, which may hold the task in part."""
    found = split_score(key)
    return ("", key) if found is None else (found[0].year, task_of(found[1]))


def _texts(arms: Iterable[Arm], tasks: Sequence[str]) -> set[str]:
    """Return the fingerprints of the items of `tasks` in any arm; none if those of one task are unknown."""
    by_task = [
        {text for arm in arms for row in arm.answers.get(task, {}).values() for text in _texts_of(row)}
        for task in tasks
    ]
    return set().union(*by_task) if all(by_task) else set()


def _texts_of(row: "pd.Series[float]") -> set[str]:
    return set(row.index.get_level_values(TEXT)) - {""} if TEXT in row.index.names else set()


def _keeps_texts(arm: Arm, key: str) -> bool:
    """Return whether the arm kept its answers with fingerprints for every value of a score."""
    kept: Mapping[int, pd.Series[float]] = arm.answers.get(key, {})
    return all(seed in kept and bool(_texts_of(kept[seed])) for seed in arm.values[key])


def _items(arm: Arm, key: str) -> int:
    return len(next(iter(arm.answers[key].values())))


def _without(arm: Arm, key: str, texts: set[str]) -> Arm | None:
    """Return the arm with `key` computed over the other items; None where the score is not a mean over groups."""
    rows, values = {}, {}
    for seed, value in arm.values[key].items():
        row = arm.answers[key][seed]
        rest = row[~row.index.get_level_values(TEXT).isin(texts)]
        if rest.empty or not is_mean_of_groups(value, *_grouped(row)):
            return None
        rows[seed], values[seed] = rest, mean_of_groups(*_grouped(rest))
    return replace(
        arm,
        values={**arm.values, key: values},
        estimates={**arm.estimates, key: estimate_metric(key, values.values())},
        answers={**arm.answers, key: rows},
    )


def _grouped(row: "pd.Series[float]") -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return (I,) the score of each item, and (I,) its group, numbered from 0."""
    groups, _ = pd.factorize(row.index.get_level_values(0))
    return np.asarray(row, dtype=np.float64), groups
