"""What the zero-shot tasks ask: items, each a choice among texts. Knows no tokens, no model and no files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Item", "TextOption", "choose", "margin"]

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TextOption:
    """A text of which a model is asked how probable it is, or how probable its ending is given the rest."""

    text: str
    completion: str | None = None
    """The ending that is scored, as the task has it; None: the whole text."""

    @property
    def ending(self) -> str:
        """What is scored."""
        return self.text if self.completion is None else self.completion


@dataclass(frozen=True, slots=True)
class Item:
    """A question with several answers, of which the model picks the likeliest."""

    uid: str
    """The group over which accuracy is averaged first."""
    id: str
    """`<uid>_<n>`, counted from 0 in the order of the files."""
    options: tuple[TextOption, ...]
    label: int = 0
    """The right option."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Section of the task's report -> the group of that section to which the item counts, in the report's order."""
    human: float | None = None
    """Share of people who chose option 0, where the task compares with them."""


def choose(scores: Scores) -> int:
    """The option with the highest score; the first of equals, and a score that is not a number before all others.

    As `torch.max` has it, and so BabyLM's pipeline: a model that scores a constant is right wherever option 0 is.
    """
    return int(np.argmax(scores))


def margin(scores: Scores, label: int) -> float:
    """How much higher the right option scores than the best of the others, in nats; negative where that one wins."""
    others: Sequence[float] = np.delete(scores, label).tolist()
    return float(scores[label]) - max(others) if others else float("inf")
