"""BabyLM as the challenge defines it: datasets, file names, columns, chance levels, the macro average. No torch."""

import math
from collections.abc import Mapping

__all__ = ["BLIMP_COLUMNS", "CHANCE", "DATASETS", "NOMINAL_WORDS", "SUFFIXES", "macro_average"]

DATASETS: dict[str, str] = {
    "strict-small": "BabyLM-community/BabyLM-2026-Strict-Small",
    "strict": "BabyLM-community/BabyLM-2026-Strict",
}
"""Track -> dataset id on the Hub, of plain `*.train.txt` files."""

NOMINAL_WORDS: dict[str, int] = {"strict-small": 10_000_000, "strict": 100_000_000}
"""Track -> words of its training text, nominally; a run may see ten times as many."""

SUFFIXES: dict[str, tuple[str, ...]] = {
    "train": (".train", ".train.txt"),
    "dev": (".dev", ".dev.txt"),
    "test": (".test", ".test.txt"),
}
"""Split -> how the names of its files end; what stands before is the source."""

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
}
"""Task -> score of a model that knows nothing: percent correct, a correlation, or the variance explained."""


def macro_average(scores: Mapping[str, float]) -> float:
    """The mean over groups, each counted once whatever its size: BabyLM's score of a task.

    Raises:
        ValueError: there are no scores.
    """
    if not scores:
        raise ValueError("a macro average must be taken over at least one score; got none")
    return math.fsum(scores.values()) / len(scores)
