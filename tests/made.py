"""What runs say of themselves, as tests have them say it: any field may be given, the others have plain values."""

from typing import Any

from sleep_tune.records import Outcome, Progress


def make_progress(words: int, budget: int, **more: Any) -> Progress:
    """A report from the first pass of a run that has seen `words` of its budget."""
    parts: dict[str, Any] = {
        "words_seen": words,
        "budget_words": budget,
        "updates": words // 1000,
        "phase": "wake",
        "cycle": 0,
        "pass_index": 0,
        "fold": 0,
        "folds": 10,
        "read_ratio": 0.5,
        "seconds": words / 1000,
    }
    return Progress(**(parts | more))


def make_outcome(state: str = "completed", **more: Any) -> Outcome:
    """How a run ended on a CPU, after a second."""
    parts: dict[str, Any] = {"words_seen": 1000, "updates": 1, "seconds": 1.0, "flops": 0.0, "device": "cpu"}
    return Outcome(state=state, **(parts | more))
