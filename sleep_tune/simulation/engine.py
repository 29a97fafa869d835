"""Discrete-event simulation of a cluster's slots: trials take virtual time, report, and obey what they are told.

Asks and answers the real director; knows no sampler, no scheduler, and no formula of a curve.

Source of the idea: the simulator back end of Salinas et al., "Syne Tune" (AutoML-Conf 2022).
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sleep_tune.records import Decision, Outcome, Progress
from sleep_tune.search.decide.director import Director
from sleep_tune.search.decide.work import Trial
from sleep_tune.simulation.virtual_clock import VirtualClock

__all__ = ["Cluster", "Curve", "Pace"]

Curve = Callable[[Trial, float], float]
"""(trial, share of the budget) -> the objective there."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a trial takes: what starting it costs, then time in proportion to words."""

    words_per_second: float = 50_000.0
    start_seconds: float = 20.0
    """Until a slot's next trial trains; the slot is busy meanwhile."""


@dataclass(slots=True)
class _Run:
    """A trial in a slot."""

    trial: Trial
    shares: tuple[float, ...]
    """Of the budget, at which it reports, ascending; the last is 1."""
    reported: int = 0
    """How many of these it has passed."""
    is_training: bool = False


@dataclass(slots=True)
class Cluster:
    """The slots, and what is going on in them. `run` may be called again to go on.

    Args:
        director: says what to train, and decides; its clock must be `clock`.
        clock: set forward from event to event.
        curve: what trials report as the objective.
        num_slots: trials that run at the same time.
        pace: how long they take.
    """

    director: Director
    clock: VirtualClock
    curve: Curve
    num_slots: int = 1
    pace: Pace = field(default_factory=Pace)
    words: float = 0.0
    """Trained so far, by ended and running trials together."""
    busy_seconds: float = 0.0
    """Summed over slots."""
    _events: list[tuple[float, int, _Run]] = field(default_factory=list)
    """A heap by time; what happens at the same time happens in the order in which the trials were started."""
    _left: dict[str, tuple[float, int, _Run]] = field(default_factory=dict)
    """Trials that ran under the director before, until the present one has started them again."""
    _num_started: int = 0
    _training: int = 0

    @property
    def running(self) -> int:
        """Slots that are busy."""
        return len(self._events)

    def run(self, marks: Sequence[float] = (), at_mark: Callable[[float], None] = lambda words: None) -> None:
        """Go on until the search is over or the last mark is reached.

        Args:
            marks: words trained in all, ascending, at which to look in. A search that is over before its last mark is
                looked at as it ended.
            at_mark: called with each mark, at the moment when so many words have been trained.
        """
        left = list(marks)
        self._fill()
        while self._events:
            time, order, run = self._events[0]
            upto = self.words + (time - self.clock()) * self._words_per_second
            while left and left[0] < upto * (1 - 1e-9):  # what happens at a mark has happened when it is passed
                self._pass_until(min(time, self._time_at(left[0])))
                at_mark(left.pop(0))
            if marks and not left:
                return
            self._pass_until(time)
            if self._happen(run):
                heapq.heappop(self._events)
            else:
                heapq.heapreplace(self._events, (self._next_time(run), order, run))
            self._fill()
        for mark in left:
            at_mark(mark)

    def take_over(self, director: Director) -> None:
        """Go on under another director, that has read the log of the one before: what ran goes on from where it was.

        For searches that are killed: by an exception out of the director, at any moment.

        Args:
            director: has the same clock.
        """
        self.director = director
        self._left = {event[2].trial.id: event for event in self._events}
        self._events = []
        self._training = 0

    @property
    def _words_per_second(self) -> float:
        """At present, over all slots."""
        return self._training * self.pace.words_per_second

    def _time_at(self, words: float) -> float:
        """When so many words will have been trained, if nothing happens before."""
        return self.clock() + (max(0.0, words - self.words) / self._words_per_second if self._training else 0.0)

    def _pass_until(self, time: float) -> None:
        seconds = time - self.clock()
        self.words += seconds * self._words_per_second
        self.busy_seconds += seconds * self.running
        self.clock.advance(time)

    def _fill(self) -> None:
        """Start trials until every slot is busy or nothing can be started now."""
        while self.running < self.num_slots and isinstance(trial := self.director.next(), Trial):
            event = self._left.pop(trial.id, None)
            if event is None:
                rungs = self.director.rungs if trial.role == "search" else self.director.space.finalists.rungs
                run = _Run(trial, (*rungs, 1.0))
                event = (self.clock() + self.pace.start_seconds, self._num_started, run)
                self._num_started += 1
            self._training += event[2].is_training
            heapq.heappush(self._events, event)

    def _next_time(self, run: _Run) -> float:
        """When the run, which stands at its last report, makes the next one."""
        before = run.shares[run.reported - 1] if run.reported else 0.0
        words = (run.shares[run.reported] - before) * self.director.budget_words
        return self.clock() + words / self.pace.words_per_second

    def _happen(self, run: _Run) -> bool:
        """The run begins to train, or reports; whether it has ended with that."""
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
            return False
        state = "completed" if words == budget else "stopped"
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
