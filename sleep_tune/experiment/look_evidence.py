"""Evidence on the arms at a look: what the search logs when all runs up to a planned number of seeds have ended.

The search judges no arm itself: a `Judge` does, which the command gives it. `results` has the one that also makes the
verdict of the table.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["DECISIONS", "ArmEvidence", "Judge", "Looks", "find_decision"]

DECISIONS = ("significant", "equivalent", "futile")
"""Why an arm gets no more seeds: its difference is significant; it is equal to within the smallest difference of
interest; or more seeds would hardly show either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmEvidence:
    """Evidence on one arm at a look: its difference from the reference at the primary endpoint.

    A figure is None where it is unknown.
    """

    decided: str | None = None
    """One of `DECISIONS`; None for an arm that gets more seeds."""
    p: float | None = None
    """Corrected p-value of the difference, valid at every look."""
    difference: float | None = None
    """Arm minus reference, in the endpoint's unit."""
    low: float | None = None
    """Lower end of the repeated confidence interval."""
    high: float | None = None
    """Upper end of the repeated confidence interval."""
    power: float | None = None
    """Chance that a later planned look decides it (`statistics.conditional_power`); None after the last."""

    def to_json(self) -> dict[str, Any]:
        """Return a dictionary for a line of JSON, of what is known: an endless end of an interval is not."""
        return {key: value for key, value in asdict(self).items() if isinstance(value, str) or _is_known(value)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "ArmEvidence":
        """Return the record of a dictionary that `to_json` made."""
        return cls(**values)


def _is_known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


Judge = Callable[[tuple[int, ...]], Mapping[str, ArmEvidence]]
"""Function from the seeds of a look, in the study's order, to the evidence on each arm that is compared, by its name.

It uses the runs of these seeds only, all of which have ended. An arm that it leaves out is not compared: such an arm
gets seeds as long as any other does. It raises a DataError if the arms cannot be compared; another error ends the
session, and the look is taken in the next.
"""

Looks = Mapping[int, ArmEvidence | None]
"""Number of fresh seeds at a look -> the evidence on an arm then; None if the arm was not compared."""


def find_decision(looks: Looks) -> tuple[int, ArmEvidence] | None:
    """Return the number of fresh seeds with which an arm was decided, and the evidence then; None if it was not."""
    found = ((seeds, evidence) for seeds, evidence in sorted(looks.items()) if evidence is not None)
    return next((one for one in found if one[1].decided is not None), None)
