"""The words that a model may see in training by BabyLM's rules, replay and repetition included."""

from sleep_tune.babylm.challenge import DATASETS

__all__ = ["WORD_LIMITS", "warn_of_words"]

WORD_LIMITS: dict[str, int] = {"strict-small": 100_000_000, "strict": 1_000_000_000}
"""Track -> words, of which 10 passes over the nominal size of its corpus consist."""


def warn_of_words(dataset: str | None, corpus_words: int, budget_words: int) -> str | None:
    """Return a warning if a run sees more words than the track of its dataset allows; None if it does not.

    The corpora hold about 4% more words than their names say, so 10 passes over all of one are too many.

    Args:
        dataset: id on the Hub; None, or one that is not in DATASETS, has no limit.
        corpus_words: words of a pass, >= 1.
        budget_words: words that the run may see.

    >>> warn_of_words("BabyLM-community/BabyLM-2026-Strict-Small", 9_900_000, 99_000_000)
    """
    track = next((track for track, name in DATASETS.items() if name == dataset), None)
    if track is None or budget_words <= WORD_LIMITS[track]:
        return None
    limit = WORD_LIMITS[track]
    return (
        f"the run sees {budget_words:,} words, {budget_words / corpus_words:.4g} x the {corpus_words:,} of its text; "
        f"BabyLM's track {track} allows {limit:,}: set budget.words={limit} for a model that is to be submitted"
    )
