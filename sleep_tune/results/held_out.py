"""Items that chose the finalists do not judge them: they are left out of the primary endpoint, or a note says why not.

A search may look at a fast task (`babylm/blimp_fast`) whose items are a part of the full one (`babylm/blimp_filtered`)
that claims are about. Items are known again by the fingerprint of their text. Knows nothing of differences.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sleep_tune.babylm.challenge import FOLDERS
from sleep_tune.babylm.score_names import MACRO
from sleep_tune.results.arms import Arm
from sleep_tune.results.columns import BABYLM, column
from sleep_tune.results.crossed_design import is_mean_of_groups, mean_of_groups
from sleep_tune.results.experiment import Experiment
from sleep_tune.results.ranges import cut_estimate
from sleep_tune.results.statistics import estimate_mean

__all__ = ["hold_out_items"]

TEXT = "text"


def hold_out_items(arms: Sequence[Arm], experiment: Experiment) -> tuple[tuple[Arm, ...], tuple[str, ...]]:
    """The arms as they are to be judged, and sentences on what was left out, or should have been.

    Args:
        arms: without contrasts yet. All of them are judged on the same items: without those that chose the finalists,
            or, where one did not keep its answers, with them.
        experiment: names what chose, and what judges.
    """
    chose, judges = experiment.objective, experiment.primary
    found = any(arm.kind == "finalist" for arm in arms)
    if not (found and chose.startswith(BABYLM) and judges.startswith(BABYLM)):
        return tuple(arms), ()
    name = column(judges).heading
    if chose == judges:
        told = f"the items of {name} chose the finalists and judge them too; name another endpoint (comparison.primary)"
        return tuple(arms), (f"Beware: {told} for a claim.",)
    tasks = _chosen_from(arms, chose, judges)
    if not tasks:
        return tuple(arms), ()
    folders = ", ".join(task.removeprefix(BABYLM) for task in tasks)
    whole = f"Beware: the items of {folders} chose the finalists and are among those of {name}, which judges them; "
    if judges == BABYLM + MACRO:
        return tuple(arms), (f"{whole}name another endpoint (comparison.primary) for a claim.",)
    judged = [arm for arm in arms if arm.values.get(judges)]
    texts = _texts(arms, tasks)
    silent = [arm.name for arm in judged if not _keeps_texts(arm, judges)]
    if not texts or silent:
        who = ", ".join(silent) or "the runs"
        why = f"{who} did not keep their answers item by item (eval/items.parquet)"
        return tuple(arms), (f"{whole}they cannot be left out, for {why}.",)
    cut = {arm.name: _without(arm, judges, texts) for arm in judged}
    if any(made is None for made in cut.values()):
        return tuple(arms), (f"{whole}they cannot be left out of its score, which is no mean over groups of items.",)
    before, after = (_items(one, judges) for one in (judged[0], cut[judged[0].name] or judged[0]))
    told = (
        f"Left out of {name}: {before - after:,} of {before:,} items, those of {folders}, which chose the finalists; "
        f"its scores and differences here are over the other {after:,}."
    )
    return tuple(cut.get(arm.name) or arm for arm in arms), (told,)


def _chosen_from(arms: Sequence[Arm], chose: str, judges: str) -> list[str]:
    """The tasks that the objective is made of whose items are among those of the endpoint, too."""
    macro = BABYLM + MACRO
    if judges == macro:
        return [chose]
    if chose != macro:
        return [chose] if _family(chose) == _family(judges) else []
    every = dict.fromkeys(key for arm in arms for key in arm.answers)
    return [key for key in every if key != judges and _family(key) == _family(judges)]


def _family(key: str) -> str:
    """The task that a folder holds, whole or in part."""
    folder = key.removeprefix(BABYLM)
    return FOLDERS.get(folder, folder)


def _texts(arms: Iterable[Arm], tasks: Sequence[str]) -> set[str]:
    """Fingerprints of the items of `tasks`, whoever answered them; none if one task's are not known."""
    by_task = [
        {text for arm in arms for row in arm.answers.get(task, {}).values() for text in _texts_of(row)}
        for task in tasks
    ]
    return set().union(*by_task) if all(by_task) else set()


def _texts_of(row: "pd.Series[float]") -> set[str]:
    return set(row.index.get_level_values(TEXT)) - {""} if TEXT in row.index.names else set()


def _keeps_texts(arm: Arm, key: str) -> bool:
    """Whether every value of the arm there comes with its items."""
    kept: Mapping[int, pd.Series[float]] = arm.answers.get(key, {})
    return all(seed in kept and bool(_texts_of(kept[seed])) for seed in arm.values[key])


def _items(arm: Arm, key: str) -> int:
    return len(next(iter(arm.answers[key].values())))


def _without(arm: Arm, key: str, texts: set[str]) -> Arm | None:
    """The arm with its answers, values and estimate at `key` over the other items; None where they make no score."""
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
        estimates={**arm.estimates, key: cut_estimate(key, estimate_mean(list(values.values())))},
        answers={**arm.answers, key: rows},
    )


def _grouped(row: "pd.Series[float]") -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """(I,) what was scored on each item, and the item's group."""
    groups, _ = pd.factorize(row.index.get_level_values(0))
    return np.asarray(row, dtype=np.float64), groups
