"""Discrete-event simulation of a cluster: slots, a virtual clock, and a log in memory, under the real director.

The idea is that of the simulator back end of Salinas et al., "Syne Tune" (AutoML-Conf 2022).
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sleep_tune.records import Decision, Event, Outcome, Progress
from sleep_tune.search.decide.assignments import Trial
from sleep_tune.search.decide.director import Director

__all__ = ["Cluster", "Curve", "MemoryLog", "Pace", "VirtualClock"]

ENDS = {Decision.STOP: "stopped", Decision.PAUSE: "paused"}
"""Answer to a report -> the state in which the run ends."""

Curve = Callable[[Trial, float], float]
"""(trial, share of the budget) -> the objective there."""


class VirtualClock:
    """A clock that moves only when it is advanced: seconds since the search began."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """Return the present time in seconds."""
        return self._now

    def advance(self, to: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: `to` is in the past.
        """
        if to < self._now:
            raise ValueError(f"the clock stands at {self._now} s and cannot go back to {to} s")
        self._now = to


class MemoryLog:
    """A search's log that keeps its events in a list and writes nothing.

    Args:
        events: events of earlier sessions.
    """

    def __init__(self, events: tuple[Event, ...] = ()) -> None:
        self.events = events
        self.kept = list(events)
        """All events so far."""

    def append(self, event: Event) -> None:
        """Add one event."""
        self.kept.append(event)

    def close(self) -> None:
        """Do nothing: there is no file."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Duration of trials: a constant for the start, then in proportion to words."""

    words_per_second: float = 50_000.0
    start_seconds: float = 20.0
    """Time in the slot before a trial trains."""


@dataclass(slots=True)
class _RunningTrial:
    """A trial in a slot."""

    trial: Trial
    shares: tuple[float, ...]
    """Shares of the budget at which it reports, ascending; the last is 1."""
    reported: int = 0
    """Number of reports so far."""
    is_training: bool = False


@dataclass(slots=True)
class Cluster:
    """The slots of a simulated cluster. `run` may be called again to continue.

    Args:
        director: proposes trials and decides; its clock must be `clock`.
        clock: advanced from event to event.
        curve: gives the objective that trials report.
        num_slots: trials that run at the same time.
        pace: duration of trials.
    """

    director: Director
    clock: VirtualClock
    curve: Curve
    num_slots: int = 1
    pace: Pace = field(default_factory=Pace)
    words: float = 0.0
    """Words trained so far by all trials."""
    busy_seconds: float = 0.0
    """Sum over slots."""
    _events: list[tuple[float, int, _RunningTrial]] = field(default_factory=list)
    """A heap by time; simultaneous events are in the order in which the trials started."""
    _left: dict[str, tuple[float, int, _RunningTrial]] = field(default_factory=dict)
    """Trials that ran under the previous director, until the present one restarts them."""
    _paused: dict[str, _RunningTrial] = field(default_factory=dict)
    """Trials that paused at a rung, by id."""
    _num_started: int = 0
    _training: int = 0

    @property
    def running(self) -> int:
        """Number of busy slots."""
        return len(self._events)

    def run(self, marks: Sequence[float] = (), at_mark: Callable[[float], None] = lambda words: None) -> None:
        """Run until the search is over or the last mark is reached.

        Args:
            marks: total words trained, ascending. If the search is over before a mark, the mark is reached at its end.
            at_mark: called with each mark when so many words have been trained.
        """
        left = list(marks)
        self._fill()
        while self._events:
            time, order, run = self._events[0]
            upto = self.words + (time - self.clock()) * self._words_per_second
            while left and left[0] < upto * (1 - 1e-9):  # an event at the mark itself comes first
                self._pass_until(min(time, self._time_at(left[0])))
                at_mark(left.pop(0))
            if marks and not left:
                return
            self._pass_until(time)
            if self._handle(run):
                heapq.heappop(self._events)
            else:
                heapq.heapreplace(self._events, (self._next_time(run), order, run))
            self._fill()
        for mark in left:
            at_mark(mark)

    def take_over(self, director: Director) -> None:
        """Continue under another director that has read the log of the killed one; running trials keep their progress.

        Args:
            director: with the same clock.
        """
        self.director = director
        self._left = {event[2].trial.id: event for event in self._events}
        for trial in director.trials.values():
            if trial.state == "paused" and trial.id in self._left:
                _, _, run = self._left.pop(trial.id)
                run.reported = len(trial.rungs)
                self._paused[trial.id] = run
        self._events = []
        self._training = 0

    @property
    def _words_per_second(self) -> float:
        """Present speed of all slots together."""
        return self._training * self.pace.words_per_second

    def _time_at(self, words: float) -> float:
        """Return the time at which so many words will have been trained, if there is no event before."""
        return self.clock() + (max(0.0, words - self.words) / self._words_per_second if self._training else 0.0)

    def _pass_until(self, time: float) -> None:
        seconds = time - self.clock()
        self.words += seconds * self._words_per_second
        self.busy_seconds += seconds * self.running
        self.clock.advance(time)

    def _fill(self) -> None:
        """Start trials until every slot is busy or none can start now."""
        while self.running < self.num_slots and isinstance(trial := self.director.next(), Trial):
            event = self._left.pop(trial.id, None)
            if event is None:
                run = self._paused.pop(trial.id, None)
                if run is None:
                    rungs = self.director.rungs if trial.role == "search" else self.director.space.finalists.rungs
                    run = _RunningTrial(trial, (*rungs, 1.0))
                run.is_training = False
                event = (self.clock() + self.pace.start_seconds, self._num_started, run)
                self._num_started += 1
            self._training += event[2].is_training
            heapq.heappush(self._events, event)

    def _next_time(self, run: _RunningTrial) -> float:
        """Return the time of the next report of a run that is at its last one."""
        before = run.shares[run.reported - 1] if run.reported else 0.0
        words = (run.shares[run.reported] - before) * self.director.budget_words
        return self.clock() + words / self.pace.words_per_second

    def _handle(self, run: _RunningTrial) -> bool:
        """Let the run begin to train, or report; return whether it has ended."""
        if not run.is_training:
            run.is_training = True
            self._training += 1
            return False
        share = run.shares[run.reported]
        budget = self.director.budget_words
        words = round(share * budget)
        value = self.curve(run.trial, share)
        decision = self.director.on_progress(run.trial.id, self._progress(words, budget, value))
        if decision is not Decision.STOP and words < budget:
            run.reported += 1
            if decision is Decision.CONTINUE:
                return False
            self._paused[run.trial.id] = run
        state = "completed" if words == budget else ENDS[decision]
        self.director.on_end(run.trial.id, self._outcome(words, state, value))
        self._training -= 1
        return True

    def _progress(self, words: int, budget: int, value: float) -> Progress:
        return Progress(
            words_seen=words,
            budget_words=budget,
            updates=0,
            phase="wake",
            cycle=0,
            pass_index=0,
            fold=0,
            folds=1,
            read_ratio=words / budget,
            seconds=words / self.pace.words_per_second,
            rung=words,
            metrics={self.director.space.objective.metric: value},
        )

    def _outcome(self, words: int, state: str, value: float) -> Outcome:
        return Outcome(
            state=state,
            words_seen=words,
            updates=0,
            seconds=words / self.pace.words_per_second,
            flops=0.0,
            device="simulated",
            metrics={self.director.space.objective.metric: value},
        )
