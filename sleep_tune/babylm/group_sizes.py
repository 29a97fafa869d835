"""Number of items in each task of BabyLM's evaluation data, which the challenge checks before it takes a submission.

The numbers are in group_sizes.csv; the group `*` stands for every group of a folder. Groups are in lower case, as in
the challenge's script (BLiMP's own files write `principle_A_...`).
"""

import csv
from pathlib import Path

__all__ = ["AOA_CONTEXTS", "EACH", "GROUP_SIZES", "expected_size"]

EACH = "*"
"""Group of a folder whose groups all have the same number of items."""

AOA_CONTEXTS = 8005
"""Contexts in which words are scored for their age of acquisition, at each checkpoint."""


def _read_sizes() -> dict[str, dict[str, int]]:
    sizes: dict[str, dict[str, int]] = {}
    with Path(__file__).with_suffix(".csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sizes.setdefault(row["folder"], {})[row["group"]] = int(row["items"])
    return sizes


GROUP_SIZES = _read_sizes()
"""Folder of evaluation_data/{fast,full}_eval -> group -> number of items."""


def expected_size(folder: str, group: str) -> int | None:
    """Return the official number of items in a group of a task; None if the challenge names none.

    >>> expected_size("blimp_filtered", "principle_A_case_1"), expected_size("ewok_fast", "agent-properties")
    (912, 100)
    """
    sizes = GROUP_SIZES.get(folder, {})
    return sizes.get(group.lower(), sizes.get(EACH))
