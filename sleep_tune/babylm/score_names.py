"""Names of scores: their column headings, the task each belongs to, and the names used in published tables."""

import re
from collections.abc import Iterable

from sleep_tune.babylm.challenge import FAST, FOLDERS, READING_SCORES, WUG

__all__ = [
    "ACCURACY",
    "ALIASES",
    "BABYLM",
    "GLUE_TITLES",
    "MACRO",
    "RHOS",
    "TITLES",
    "UNSPECIFIED",
    "counted_scores",
    "find_score",
    "known_scores",
    "score_names",
    "score_title",
    "task_of",
    "wug_score",
]

BABYLM = "babylm/"
"""First part of the names of metrics that are scores of BabyLM 2025, in percent."""
MACRO = "macro"
"""Name of the average over tasks."""

ACCURACY, UNSPECIFIED = "_accuracy", "_unspecified"
"""Endings of a wug score that is not known to be Spearman's rho: the share of right answers, which the pipeline printed
until July 2025, and a published number whose source does not say which of the two it is."""

MEASURES: dict[str, str] = {ACCURACY: " accuracy", UNSPECIFIED: " (rho or accuracy)"}
"""Ending of a score's name -> ending of its heading."""

TITLES: dict[str, str] = {
    "blimp": "BLiMP",
    "supplement": "supplement",
    "ewok": "EWoK",
    "entity_tracking": "entities",
    "wug_adj": "wug adj",
    "wug_past": "wug past",
    "comps": "COMPS",
    "global_piqa_parallel": "PIQA parallel",
    "global_piqa_nonparallel": "PIQA non-parallel",
    "reading_eye_tracking": "eye tracking",
    "reading_self_paced": "self-paced",
    "glue": "GLUE",
    "aoa": "AoA",
    "zorro": "Zorro",
}
"""Task, or one of READING_SCORES -> its column heading, in the order of the columns."""

GLUE_TITLES: dict[str, str] = {
    "boolq": "BoolQ",
    "mnli": "MNLI",
    "mrpc_f1": "MRPC F1",
    "multirc": "MultiRC",
    "qqp_f1": "QQP F1",
    "rte": "RTE",
    "wsc": "WSC",
}
"""The scores of GLUE's tasks, as the official README prints them -> their headings. Only their mean enters MACRO."""

ALIASES: dict[str, str] = {
    "blimp": "blimp_filtered",
    "supplement": "supplement_filtered",
    "blimp_supplement": "supplement_filtered",
    "ewok": "ewok_filtered",
    "entities": "entity_tracking",
    "entities_fast": "entity_tracking_fast",
    "entity_tracking_old_rule": "entity_tracking",
    "eye_tracking": "reading_eye_tracking",
    "self_paced": "reading_self_paced",
    "self_paced_reading": "reading_self_paced",
    "piqa_parallel": "global_piqa_parallel",
    "piqa_non_parallel": "global_piqa_nonparallel",
    "global_piqa_non_parallel": "global_piqa_nonparallel",
    "reading_self_paced_reading_time": "reading_self_paced",
    "wug": "wug_adj_nominalization_unspecified",
    "wugs": "wug_adj_nominalization_unspecified",
    "wug_adj": "wug_adj_nominalization_unspecified",
    "wug_adj_x100": "wug_adj_nominalization_unspecified",
    "wug_adj_accuracy": "wug_adj_nominalization_accuracy",
    "wug_adj_rho_x100": "wug_adj_nominalization",
    "wug_past": "wug_past_tense",
    "wug_past_rho_x100": "wug_past_tense",
    "glue_filtered": "glue",
    "super_glue": "glue",
    "mrpc": "mrpc_f1",
    "qqp": "qqp_f1",
    "macro_average": MACRO,
    "macroaverage": MACRO,
}
"""Column of a published table, in lower case with _ between words -> our name of the score.

A bare `blimp` there means the full data; a bare `wug` may be either measure.
"""

RHOS: dict[str, str] = {f"{short}_rho": folder for short, folder in zip(("wug_adj", "wug_past"), WUG, strict=True)} | {
    f"{folder}_rho": folder for folder in WUG
}
"""Column of a published table that holds Spearman's rho itself, from -1 to 1 -> our name of the score."""


def wug_score(rho: float) -> float:
    """Return Spearman's rho times 100, as results are tabulated (the pipeline's reports print rho itself)."""
    return 100.0 * rho


def score_names(folder: str) -> tuple[str, ...]:
    """Return the names of a folder's scores: its own name, or READING_SCORES.

    >>> score_names("blimp_fast"), score_names("reading")
    (('blimp_fast',), ('reading_eye_tracking', 'reading_self_paced'))
    """
    return READING_SCORES if FOLDERS.get(folder) == "reading" else (folder,)


def score_title(score: str) -> str:
    """Return the heading of a score's column; an unknown score is its own heading.

    >>> score_title("blimp_fast"), score_title("wug_adj_nominalization_accuracy"), score_title("macro")
    ('BLiMP', 'wug adj accuracy', 'macro average')
    """
    if score == MACRO:
        return "macro average"
    measure = next((text for ending, text in MEASURES.items() if score.endswith(ending)), "")
    task = task_of(score)
    return f"{TITLES[task]}{measure}" if task in TITLES else GLUE_TITLES.get(score, score)


def task_of(score: str) -> str:
    """Return the task of a score, whatever its data and measure; an unknown score is its own task.

    >>> task_of("blimp_fast"), task_of("wug_adj_nominalization_accuracy"), task_of("reading_self_paced")
    ('blimp', 'wug_adj', 'reading_self_paced')
    """
    folder = score
    for ending in MEASURES:
        folder = folder.removesuffix(ending)
    return FOLDERS.get(folder, folder)


def known_scores() -> tuple[str, ...]:
    """Return the names of all scores that a table has columns for: the average, the tasks and GLUE's tasks."""
    folders = [name for folder in FOLDERS if folder != "glue_filtered" for name in score_names(folder)]
    other = [f"{WUG[0]}{ending}" for ending in MEASURES]
    return (MACRO, *folders, *other, "glue", *GLUE_TITLES)


def find_score(heading: str) -> tuple[str, float] | None:
    """Return our name of the score in a published column, and the factor that turns its numbers into percent.

    Args:
        heading: a score's name, with or without `babylm/`, its heading here, or one of `ALIASES` and `RHOS`, in any
            case and with any characters between words.

    Returns:
        None for an unknown column.

    >>> find_score("BLiMP Supplement"), find_score("wug_adj_rho"), find_score("blimp")
    (('supplement_filtered', 1.0), ('wug_adj_nominalization', 100.0), ('blimp_filtered', 1.0))
    """
    name = re.sub(r"[^a-z0-9]+", "_", heading.lower().removeprefix(BABYLM)).strip("_")
    if name in RHOS:
        return RHOS[name], wug_score(1.0)
    name = ALIASES.get(name, name)
    return (name, 1.0) if name in known_scores() else None


def counted_scores(names: Iterable[str]) -> dict[str, str]:
    """Return the scores that enter the average over tasks: task -> score, in the order of the columns.

    Each task counts once: by its full data rather than the fast subset, and by rho rather than an accuracy.

    >>> counted_scores(["entity_tracking", "entity_tracking_fast", "blimp_fast", "zorro"])
    {'blimp': 'blimp_fast', 'entity_tracking': 'entity_tracking'}
    """
    best_last = sorted(names, key=lambda name: (name.endswith(ACCURACY), name.endswith(FAST)), reverse=True)
    found = {task_of(name): name for name in best_last if not name.endswith(UNSPECIFIED)}
    return {task: found[task] for task in TITLES if task in found and task != "zorro"}
