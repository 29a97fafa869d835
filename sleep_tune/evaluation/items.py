"""Items of zero-shot tasks: each is a choice among texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Item", "TextOption", "best_options", "choose", "margin"]

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TextOption:
    """A text that is scored by its probability, or by the probability of its ending given the rest."""

    text: str
    completion: str | None = None
    """The ending that is scored; None: the whole text is."""

    @property
    def ending(self) -> str:
        """The part that is scored."""
        return self.text if self.completion is None else self.completion


@dataclass(frozen=True, slots=True)
class Item:
    """A question with several options, of which the model chooses the most probable."""

    uid: str
    """Group of items over which accuracy is averaged first."""
    id: str
    """`<uid>_<n>`, counted from 0 within a UID in the order of the files."""
    options: tuple[TextOption, ...]
    label: int = 0
    """Index of the right option."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Section of the task's report -> the item's group in that section, in the report's order."""
    human: float | None = None
    """Share of people who chose option 0, in [0, 1]; None for tasks without human answers."""
    per_token: bool = False
    """Whether an option's score is divided by the number of tokens that are scored, at least 1."""


def choose(scores: Scores) -> int:
    """Return the index of the highest score: the first one among equals, and the first NaN if there is one.

    This is the rule of `torch.max` and so of BabyLM's pipeline: a model that gives all options the same score is right
    on every item whose right option is 0.

    Args:
        scores: (number of options,) log-probabilities.
    """
    return int(np.argmax(scores))


def best_options(scores: Scores) -> list[int]:
    """Return the indices of all options with the highest score; NaN counts as minus infinity.

    Args:
        scores: (number of options,) log-probabilities.
    """
    defined = np.where(np.isnan(scores), -np.inf, scores)
    return [int(index) for index in np.flatnonzero(defined == defined.max())]


def margin(scores: Scores, label: int) -> float:
    """Return the score of the right option minus the best score of the others, in nats.

    Args:
        scores: (number of options,) log-probabilities in nats.
        label: index of the right option.

    Returns:
        Negative if another option has the highest score; infinite if there is no other option.
    """
    others: Sequence[float] = np.delete(scores, label).tolist()
    return float(scores[label]) - max(others) if others else float("inf")
