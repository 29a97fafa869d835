"""What the search knows of one search for settings. A plain record, changed by `search_state` alone."""

from dataclasses import dataclass, field

__all__ = ["MAIN", "StudyState"]

MAIN = "search"
"""Name of the study that the space describes; a tuned baseline's study has the baseline's name."""


@dataclass(slots=True, kw_only=True)
class StudyState:
    """One search for settings: the space's own, or a tuned baseline's."""

    name: str
    asks: int = 0
    ended: str | None = None
    """Why it asks for no more trials."""
    trained: int = 0
    """Trials that count toward stop.trials: neither refused nor about to be; also outside the present space."""
    refusals: int = 0
    """Refused in a row."""
    repeats: int = 0
    """Of these, repeats in a row since a trial of the study was started or ended."""
    known: dict[str, str] = field(default_factory=dict)
    """Settings in the present space -> the trial that was asked with them first."""
    enqueued: dict[str, int] = field(default_factory=dict)
    """Points that were to be trained first -> how often each has been asked for."""
    best: str | None = None
    ranked: list[tuple[float, int, str]] = field(default_factory=list)
    """Trained and completed trials that fit the present space, best first: (signed value, place in order of asking,
    trial)."""
    without_improvement: int = 0
    """Completed trials in a row that were no new best."""
    gpu_seconds: float = 0.0
    """GPU-seconds of its trials by the log, those of attempts that were lost or met a bug included."""
