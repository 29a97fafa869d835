"""BabyLM as the challenge defines it: datasets, file names, columns, tasks, chance levels, every average. No torch.

The averages follow babylm/evaluation-pipeline-2025. Where its own scripts disagree, both values are given and named:
`Averages.score` is what its evaluation prints, `Averages.other` what another of its scripts makes of the same numbers.
All scores are in percent; its collation of checkpoints has shares in [0, 1] instead, and its report of wug a rho.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = [
    "ACCURACY",
    "ALIASES",
    "AOA_CHECKPOINTS",
    "BLIMP_COLUMNS",
    "CHANCE",
    "DATASETS",
    "FAST",
    "FOLDERS",
    "GLUE_TITLES",
    "MACRO",
    "NOMINAL_WORDS",
    "OFFICIAL_ROW",
    "READING_SCORES",
    "RHOS",
    "TITLES",
    "UNSPECIFIED",
    "WUG",
    "Averages",
    "benchmark_averages",
    "counted_scores",
    "entity_tracking_averages",
    "find_score",
    "glue_averages",
    "known_scores",
    "macro_average",
    "score_names",
    "task_of",
    "title",
    "wug_score",
]

DATASETS: dict[str, str] = {
    "strict-small": "BabyLM-community/BabyLM-2026-Strict-Small",
    "strict": "BabyLM-community/BabyLM-2026-Strict",
}
"""Track -> dataset id on the Hub, of plain `*.train.txt` files."""

NOMINAL_WORDS: dict[str, int] = {"strict-small": 10_000_000, "strict": 100_000_000}
"""Track -> words of its training text, nominally; a run may see ten times as many."""

BLIMP_COLUMNS = ("sentence_good", "sentence_bad", "field", "UID", "linguistics_term")
"""What is read of a line of BLiMP (Warstadt et al., 2020)."""

CHANCE: dict[str, float] = {
    "blimp": 50.0,
    "supplement": 50.0,
    "ewok": 50.0,
    "entity_tracking": 20.0,
    "comps": 50.0,
    "wug_adj": 0.0,
    "wug_past": 0.0,
    "reading": 0.0,
    "zorro": 50.0,
}
"""Task -> score of a model that knows nothing: percent correct, a correlation, or the variance explained."""

FOLDERS: dict[str, str] = {
    "blimp_fast": "blimp",
    "blimp_filtered": "blimp",
    "supplement_fast": "supplement",
    "supplement_filtered": "supplement",
    "ewok_fast": "ewok",
    "ewok_filtered": "ewok",
    "entity_tracking_fast": "entity_tracking",
    "entity_tracking": "entity_tracking",
    "wug_adj_nominalization": "wug_adj",
    "wug_past_tense": "wug_past",
    "comps": "comps",
    "reading": "reading",
    "glue_filtered": "glue",
    "aoa": "aoa",
    "zorro": "zorro",
}
"""Folder of evaluation_data/{fast,full}_eval -> its task. Zorro (Huebner et al., 2021) is ours: BabyLM has none."""

TITLES: dict[str, str] = {
    "blimp": "BLiMP",
    "supplement": "supplement",
    "ewok": "EWoK",
    "entity_tracking": "entities",
    "wug_adj": "wug adj",
    "wug_past": "wug past",
    "comps": "COMPS",
    "reading_eye_tracking": "eye tracking",
    "reading_self_paced": "self-paced",
    "glue": "GLUE",
    "aoa": "AoA",
    "zorro": "Zorro",
}
"""Task, or one of the scores of `reading` -> its column's heading, in the order of the columns."""

READING_SCORES = ("reading_eye_tracking", "reading_self_paced")
"""The scores of the task `reading`, which has two."""

GLUE_TITLES: dict[str, str] = {
    "boolq": "BoolQ",
    "mnli": "MNLI",
    "mrpc_f1": "MRPC F1",
    "multirc": "MultiRC",
    "qqp_f1": "QQP F1",
    "rte": "RTE",
    "wsc": "WSC",
}
"""GLUE's parts, as the official README prints them, and their headings. They are published; only their mean counts."""

MACRO = "macro"
"""The name of the average over tasks, beside the tasks' own."""

FAST = "_fast"
"""How the names of folders end that hold a part of a task's data."""

ACCURACY, UNSPECIFIED = "_accuracy", "_unspecified"
"""How the name of a wug score ends that is no Spearman's rho: the share of right answers, which the pipeline printed
until July 2025; and a published figure that does not say which of the two it is."""

MEASURES: dict[str, str] = {ACCURACY: " accuracy", UNSPECIFIED: " (rho or accuracy)"}
"""End of a score's name -> end of its heading."""

WUG = ("wug_adj_nominalization", "wug_past_tense")
"""The folders whose score is a rank correlation."""

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
"""What else a score is called in published tables, in lower case and with _ between words -> its name.

`blimp` and the like are the full data there; `wug` alone may be either measure.
"""

RHOS: dict[str, str] = {f"{short}_rho": folder for short, folder in zip(("wug_adj", "wug_past"), WUG, strict=True)} | {
    f"{folder}_rho": folder for folder in WUG
}
"""What a score is called where a table has Spearman's rho itself, from -1 to 1 -> its name."""

OFFICIAL_ROW = (
    "blimp",
    "supplement",
    "ewok",
    "reading_eye_tracking",
    "reading_self_paced",
    "entity_tracking",
    "wug_adj",
    "glue",
)
"""The columns whose mean is the official README's macro average; it was written before wug_past, COMPS and AoA came."""

AOA_CHECKPOINTS: dict[str, tuple[int, ...]] = {
    "strict-small": (*range(1, 10), *range(10, 101, 10)),
    "strict": (*range(1, 10), *range(10, 100, 10), *range(100, 1001, 100)),
}
"""Track -> millions of words seen at which a model is saved as chck_<n>M."""


@dataclass(frozen=True, slots=True)
class Averages:
    """A score, and what other official scripts or documents make of the same numbers."""

    score: float
    """What this project reports."""
    other: Mapping[str, float]
    """What it is -> its value, where it differs or could."""


def score_names(folder: str) -> tuple[str, ...]:
    """The names under which a folder's scores are reported: its own, except that reading has two.

    >>> score_names("blimp_fast"), score_names("reading")
    (('blimp_fast',), ('reading_eye_tracking', 'reading_self_paced'))
    """
    return READING_SCORES if FOLDERS.get(folder) == "reading" else (folder,)


def title(score: str) -> str:
    """The heading of a score's column; an unknown score under its own name.

    >>> title("blimp_fast"), title("wug_adj_nominalization_accuracy"), title("macro")
    ('BLiMP', 'wug adj accuracy', 'macro average')
    """
    if score == MACRO:
        return "macro average"
    measure = next((text for ending, text in MEASURES.items() if score.endswith(ending)), "")
    task = task_of(score)
    return f"{TITLES[task]}{measure}" if task in TITLES else GLUE_TITLES.get(score, score)


def task_of(score: str) -> str:
    """The task that a score is of, whichever data and measure; an unknown score is its own.

    >>> task_of("blimp_fast"), task_of("wug_adj_nominalization_accuracy"), task_of("reading_self_paced")
    ('blimp', 'wug_adj', 'reading_self_paced')
    """
    folder = score
    for ending in MEASURES:
        folder = folder.removesuffix(ending)
    return FOLDERS.get(folder, folder)


def known_scores() -> tuple[str, ...]:
    """The names of all scores that a table has columns for: the average, then tasks and GLUE's parts."""
    folders = [name for folder in FOLDERS if folder != "glue_filtered" for name in score_names(folder)]
    other = [f"{WUG[0]}{ending}" for ending in MEASURES]
    return (MACRO, *folders, *other, "glue", *GLUE_TITLES)


def find_score(heading: str) -> tuple[str, float] | None:
    """The score that a published column holds, and what its numbers are multiplied by to become ours.

    Args:
        heading: a score's name, with or without `babylm/`, its heading here, or one of `ALIASES` and `RHOS`, in any
            case and with any signs between words.

    Returns:
        None for a column that is not known.

    >>> find_score("BLiMP Supplement"), find_score("wug_adj_rho"), find_score("blimp")
    (('supplement_filtered', 1.0), ('wug_adj_nominalization', 100.0), ('blimp_filtered', 1.0))
    """
    name = re.sub(r"[^a-z0-9]+", "_", heading.lower().removeprefix("babylm/")).strip("_")
    if name in RHOS:
        return RHOS[name], wug_score(1.0)
    name = ALIASES.get(name, name)
    return (name, 1.0) if name in known_scores() else None


def macro_average(scores: Mapping[str, float]) -> float:
    """The mean over groups, each counted once whatever its size: BabyLM's score of a task.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("a macro average must be taken over at least one score; got none")
    return math.fsum(scores.values()) / len(scores)


def entity_tracking_averages(accuracy: Mapping[str, float]) -> Averages:
    """Entity tracking's score: the mean over its splits of the mean over numbers of operations.

    Args:
        accuracy: `<split>_<number>_ops` -> percent correct; the splits are regular, ambiref and move_contents, of
            which the fast data has the first.

    Returns:
        The mean of means, as the evaluation prints it; other: `mean over groups`, as `calculate_results_from_pred.py`
        has it, which counts a split with more groups for more. Equal as long as every split has as many groups.

    Raises:
        ValueError: there are no groups, or a group is not named so.
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
    """GLUE's score: the mean over tasks of accuracy, but of F1 for MRPC and QQP, as the official README has it.

    Args:
        accuracy: task -> percent correct.
        f1: task -> F1 in percent; read for MRPC and QQP.

    Returns:
        The score; other: `accuracy of all`, as `calculate_results_from_pred.py` has it.
    """
    by_f1 = {task: f1[task] for task in ("mrpc", "qqp") if task in accuracy}
    return Averages(macro_average({**accuracy, **by_f1}), {"accuracy of all": macro_average(accuracy)})


def wug_score(rho: float) -> float:
    """Spearman's rho times 100, as results are tabulated; reports print rho itself, and older tables an accuracy."""
    return 100.0 * rho


def benchmark_averages(scores: Mapping[str, float]) -> Averages | None:
    """The macro average of a model: the mean over the scores of BabyLM's tasks that were measured, each once.

    Reading's two scores count as two, as in the official table. Zorro, which is no task of BabyLM's, never counts. It
    compares models scored on the same tasks only: the scores lie on scales of their own.

    Args:
        scores: folder or score -> percent; others than BabyLM's are passed over, see `counted_scores`.

    Returns:
        None where nothing that counts was measured; other: `official row`, the mean of `OFFICIAL_ROW` alone, where all
        of it was measured.
    """
    names = counted_scores(scores)
    if not names:
        return None
    counted = {task: scores[name] for task, name in names.items()}
    complete = all(task in counted for task in OFFICIAL_ROW)
    row = {"official row": macro_average({task: counted[task] for task in OFFICIAL_ROW})} if complete else {}
    return Averages(macro_average(counted), row)


def counted_scores(names: Iterable[str]) -> dict[str, str]:
    """Task -> the score that its average counts, of those that were measured; in the order of the columns.

    A task counts once: its full data rather than the fast part, and a rho rather than an accuracy.

    >>> counted_scores(["entity_tracking", "entity_tracking_fast", "blimp_fast", "zorro"])
    {'blimp': 'blimp_fast', 'entity_tracking': 'entity_tracking'}
    """
    best_last = sorted(names, key=lambda name: (name.endswith(ACCURACY), name.endswith(FAST)), reverse=True)
    found = {task_of(name): name for name in best_last if not name.endswith(UNSPECIFIED)}
    return {task: found[task] for task in TITLES if task in found and task != "zorro"}
