"""BabyLM as the challenge defines it: datasets, file names, columns, tasks, chance levels, every average. No torch.

The averages follow babylm/evaluation-pipeline-2025. Where its own scripts disagree, both values are given and named:
`Averages.score` is what its evaluation prints, `Averages.other` what another of its scripts makes of the same numbers.
All scores are in percent; its collation of checkpoints has shares in [0, 1] instead, and its report of wug a rho.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "AOA_CHECKPOINTS",
    "BLIMP_COLUMNS",
    "CHANCE",
    "DATASETS",
    "FOLDERS",
    "MACRO",
    "NOMINAL_WORDS",
    "OFFICIAL_ROW",
    "READING_SCORES",
    "TITLES",
    "Averages",
    "benchmark_averages",
    "entity_tracking_averages",
    "glue_averages",
    "macro_average",
    "score_names",
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

MACRO = "macro"
"""The name of the average over tasks, beside the tasks' own."""

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

    >>> title("blimp_fast"), title("macro")
    ('BLiMP', 'macro average')
    """
    if score == MACRO:
        return "macro average"
    return TITLES.get(FOLDERS.get(score, score), score)


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
        scores: folder or score -> percent; others than BabyLM's are passed over.

    Returns:
        None where nothing that counts was measured; other: `official row`, the mean of `OFFICIAL_ROW` alone, where all
        of it was measured.
    """
    by_task = {FOLDERS.get(name, name): value for name, value in scores.items()}
    counted = {task: value for task, value in by_task.items() if task in TITLES and task != "zorro"}
    if not counted:
        return None
    complete = all(task in counted for task in OFFICIAL_ROW)
    row = {"official row": macro_average({task: counted[task] for task in OFFICIAL_ROW})} if complete else {}
    return Averages(macro_average(counted), row)
