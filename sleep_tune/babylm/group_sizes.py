"""Number of items in each task of BabyLM's evaluation data, which the challenge checks before it takes a submission.

The numbers are in group_sizes.csv, with the years that they hold for; the group `*` stands for every group of a folder.
Groups are in lower case, as in the challenge's script (BLiMP's own files write `principle_A_...`).
"""

import csv
from pathlib import Path

__all__ = ["AOA_CONTEXTS", "EACH", "GROUP_SIZES", "NUM_GROUPS", "expected_size"]

EACH = "*"
"""Group of a folder whose groups all have the same number of items."""

AOA_CONTEXTS = 8005
"""Contexts in which words are scored for their age of acquisition, at each checkpoint."""


NUM_GROUPS = {"global_piqa_parallel": 103, "global_piqa_nonparallel": 100}
"""Folder whose groups are its items, under names of their own -> number of groups."""


def _read_sizes() -> dict[str, dict[str, dict[str, int]]]:
    sizes: dict[str, dict[str, dict[str, int]]] = {}
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for year in row["years"].split():
                sizes.setdefault(year, {}).setdefault(row["folder"], {})[row["group"]] = int(row["items"])
    return sizes


GROUP_SIZES = _read_sizes()
"""Year -> folder of evaluation_data/{fast,full}_eval -> group -> number of items."""


def expected_size(folder: str, group: str, year: str) -> int | None:
    """Return the official number of items in a group of a task; None if the challenge names none in that year.

    >>> expected_size("blimp_filtered", "principle_A_case_1", "2026"), expected_size("wug_past_tense", "any", "2026")
    (912, None)
    """
    sizes = GROUP_SIZES[year].get(folder, {})
    return sizes.get(group.lower(), sizes.get(EACH))
