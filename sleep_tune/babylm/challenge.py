"""Datasets, task folders, chance levels and checkpoints of the BabyLM challenge.

The tables hold the tasks of all years (`protocols` says which year has which); the datasets are those of 2026.
"""

__all__ = ["AOA_CHECKPOINTS", "CHANCE", "DATASETS", "FAST", "FOLDERS", "READING_SCORES", "WUG"]

DATASETS: dict[str, str] = {
    "strict-small": "BabyLM-community/BabyLM-2026-Strict-Small",
    "strict": "BabyLM-community/BabyLM-2026-Strict",
}
"""Track -> dataset on the Hugging Face Hub, a set of plain `*.train.txt` files."""

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
    "global_piqa_parallel": "global_piqa_parallel",
    "global_piqa_nonparallel": "global_piqa_nonparallel",
    "reading": "reading",
    "glue_filtered": "glue",
    "aoa": "aoa",
    "zorro": "zorro",
}
"""Folder of evaluation_data/{fast,full}_eval -> its task. Zorro (Huebner et al., 2021) is not part of BabyLM."""

FAST = "_fast"
"""Ending of the folders that hold a subset of a task's data."""

CHANCE: dict[str, float] = {
    "blimp": 50.0,
    "supplement": 50.0,
    "ewok": 50.0,
    "entity_tracking": 20.0,
    "comps": 50.0,
    "global_piqa_parallel": 25.0,
    "global_piqa_nonparallel": 50.0,
    "wug_adj": 0.0,
    "wug_past": 0.0,
    "reading": 0.0,
    "zorro": 50.0,
}
"""Task -> score of a random model: percent correct, a correlation, or the variance explained."""

READING_SCORES = ("reading_eye_tracking", "reading_self_paced")
"""The two scores of the task `reading`."""

WUG = ("wug_adj_nominalization", "wug_past_tense")
"""The folders whose score is a rank correlation."""

AOA_CHECKPOINTS: dict[str, tuple[int, ...]] = {
    "strict-small": (*range(1, 10), *range(10, 101, 10)),
    "strict": (*range(1, 10), *range(10, 100, 10), *range(100, 1001, 100)),
}
"""Track -> millions of words seen at which a model is saved as chck_<n>M."""
