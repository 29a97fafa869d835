"""What a plan of a search holds: its runs, words, hours and disk space."""

from dataclasses import dataclass

from sleep_tune.search.plan.done_runs import TUNING, DoneRuns
from sleep_tune.search.plan.looks_plan import SeedCase
from sleep_tune.search.plan.makespan import Span
from sleep_tune.search.plan.search_power import SearchPower
from sleep_tune.search.plan.sleep_lengths import SleepLength
from sleep_tune.search.plan.speeds import Speed
from sleep_tune.search.space.search_space import CorpusSummary, Resources

__all__ = ["ExpectedRuns", "LeftOut", "Part", "Plan", "RungPlan", "Slots"]


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots in which trials would run."""

    number: int
    """Trials at the same time."""
    gpus: float
    """GPUs of each slot."""
    description: str


@dataclass(frozen=True, slots=True)
class RungPlan:
    """A rung, and how many search trials are expected to reach it."""

    share: float
    words: int
    trials: float


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A limit that is smaller than the grid."""

    option: str
    """'stop.trials', or 'baselines.epochs.trials'."""
    trials: int
    """Its value."""
    points: int
    """Of the grid."""


@dataclass(frozen=True, slots=True)
class Part:
    """Runs of one kind."""

    name: str
    runs: float
    words: float
    """Words seen by all of them together."""
    seconds: float | None
    """Run time of all of them together; None if no speed is known."""
    waits_for: str = ""
    """What an arm waits for, as a text; '' for nothing."""


@dataclass(frozen=True, slots=True)
class ExpectedRuns:
    """The runs over fresh seeds that are expected where an arm that is decided at a look gets no more seeds."""

    case: SeedCase
    """The true differences, and the seeds that arms then get."""
    runs: float
    """Runs over fresh seeds."""
    span: Span | None
    """Wall-clock time of the whole search; None if no speed is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The plan of a search."""

    name: str
    budget_words: int
    corpus: CorpusSummary
    slots: Slots
    speed: Speed | None
    trials: int | None
    """Largest number of search trials; None if it cannot be known."""
    limits: str
    """What ends the search, as a text."""
    left_out: tuple[LeftOut, ...]
    """Of a grid: limits that leave points out."""
    given: str
    """Enqueued points and earlier experiments, as a text; '' if there are none."""
    rungs: tuple[RungPlan, ...]
    """Ascending; the last is the whole budget. Counted for `trials` trials, or for one if that is None."""
    within: str | None
    lengths: tuple[SleepLength, ...]
    arms: tuple[SleepLength, ...]
    parts: tuple[Part, ...]
    span: Span | None
    """Wall-clock time; None if no speed is known."""
    left_bytes: int
    """Size of the models kept at the end: of the best search trials and of every run over fresh seeds."""
    running_bytes: int
    """Largest size of what running trials write besides."""
    paused_bytes: int
    """Largest size of the checkpoints of paused trials; 0 if the scheduler pauses none."""
    is_sized: bool
    """Whether the size of the model is known, so that these two are."""
    resources: Resources
    has_comparison: bool
    """Whether there is a baseline or an arm that the others are compared with."""
    objective: str
    """Metric that the search improves."""
    reference: str
    """Arm or baseline that all others are compared with."""
    looks: tuple[int, ...]
    """Numbers of fresh seeds at which arms are judged; one where all arms have the same number."""
    expected: tuple[ExpectedRuns, ...]
    """Without a true difference, and with one that is found; none where no arm is compared. The parts of the plan count
    the largest number of seeds."""
    power: SearchPower | None
    """What the search can find; None without a search, or if its number of trials is not known."""
    done: DoneRuns | None = None
    """What the search has done already; None for a new one."""

    @property
    def left(self) -> float:
        """Number of runs that have not ended."""
        ended = self.done.ended if self.done is not None else {}
        return sum(max(0.0, part.runs - ended.get(part.name, 0)) for part in self.parts)

    @property
    def seed_runs(self) -> float:
        """Largest number of runs over fresh seeds."""
        return sum(part.runs for part in self.parts if part.name != "search" and not part.name.startswith(TUNING))

    @property
    def runs(self) -> float:
        """Number of runs of every kind."""
        return sum(part.runs for part in self.parts)

    @property
    def words(self) -> float:
        """Words seen by all runs together."""
        return sum(part.words for part in self.parts)

    @property
    def seconds(self) -> float | None:
        """Run time of all runs together; None if no speed is known."""
        return None if self.speed is None else sum(part.seconds or 0.0 for part in self.parts)

    @property
    def gpu_hours(self) -> float | None:
        """GPU-hours of all runs; None if no speed is known."""
        return None if self.seconds is None else self.seconds * self.slots.gpus / 3600
