"""What the search knows, as a fold over its events: the same function builds it live and from the log.

Knows nothing of files, samplers or clocks: `apply` is the only way in which it changes.
"""

from dataclasses import dataclass, field

from sleep_tune.records import Decision, Event, Outcome, Progress
from sleep_tune.search.space import Value, configuration_key

__all__ = ["MAIN", "SearchState", "StudyState", "TrialState"]

MAIN = "search"
"""Name of the study that the space describes; a tuned baseline's study has the baseline's name."""


@dataclass(slots=True, kw_only=True)
class TrialState:
    """One trial, as far as it has come."""

    id: str
    role: str
    """search, baseline or finalist."""
    arm: str
    """What it is a run of in the comparison: a baseline's name, or a search trial's id."""
    seed: int
    parameters: dict[str, Value]
    study: str
    """Which study asked for it; repeats over seeds belong to none ('')."""
    number: int | None
    """Of the ask in its study, from 0; None for a repeat over seeds."""
    group: str
    """Trials are compared at rungs within a group."""
    asked_at: float
    state: str = "waiting"
    """waiting (asked, or to be started again), running, completed, stopped, failed, refused."""
    attempt: int = 0
    """Times it was started."""
    retries: int = 0
    """Of these, after its process was lost."""
    gpus: float = 0.0
    """GPUs it holds while it runs."""
    started_at: float | None = None
    """When the last attempt began."""
    ended_at: float | None = None
    progress: Progress | None = field(default=None, compare=False)
    """The last report, heartbeats included (these are not logged, and lost with the process)."""
    reports: dict[int, Progress] = field(default_factory=dict)
    """Nominal words of each rung reached -> what was reported there, the end included."""
    rungs: dict[int, float] = field(default_factory=dict)
    """Nominal words of each rung reached -> the objective there; NaN if it was not finite."""
    decisions: dict[int, Decision] = field(default_factory=dict)
    """Nominal words of each rung judged -> what was decided."""
    outcome: Outcome | None = None
    value: float | None = None
    """The objective at the end of the budget, of a completed trial."""
    kind: str | None = None
    """Why it failed or was refused: diverged, out_of_memory, infrastructure, bug; budget, config, repeat."""
    reason: str | None = None
    """The same in a sentence."""
    log: str | None = None
    """Path of the process's log, where one says more."""
    repeats: str | None = None
    """The trial whose result it took without being trained."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it (but a bug's trial is tried again in the next session)."""
        return self.state in ("completed", "stopped", "failed", "refused")

    @property
    def told_to_stop(self) -> bool:
        """Whether a rung has decided against it."""
        return Decision.STOP in self.decisions.values()

    @property
    def seconds(self) -> float:
        """Seconds of training and evaluation, over all attempts, as last reported."""
        if self.repeats is not None:
            return 0.0
        if self.outcome is not None:
            return self.outcome.seconds
        return self.progress.seconds if self.progress is not None else 0.0


@dataclass(slots=True, kw_only=True)
class StudyState:
    """One search for settings: the space's own, or a tuned baseline's."""

    name: str
    asks: int = 0
    ended: str | None = None
    """Why it asks for no more trials."""
    trained: int = 0
    """Trials that count toward stop.trials: neither refused nor about to be."""
    refusals: int = 0
    """Refused in a row."""
    repeats: int = 0
    """Of these, repeats in a row since a trial of the study was started or ended."""
    known: dict[str, str] = field(default_factory=dict)
    """Settings -> the trial that was asked with them first."""
    best: str | None = None
    without_improvement: int = 0
    """Completed trials in a row that were no new best."""


@dataclass(slots=True, kw_only=True)
class SearchState:
    """The whole search."""

    mode: str
    """'min' or 'max'."""
    trials: dict[str, TrialState] = field(default_factory=dict)
    studies: dict[str, StudyState] = field(default_factory=dict)
    arrivals: dict[tuple[str, str, int], list[str]] = field(default_factory=dict)
    """(study, group, nominal words) -> trials in the order in which they reported there."""
    sessions: int = 0
    earlier_seconds: float = 0.0
    """Wall clock of the sessions before this one."""
    session_start: float = 0.0
    last_event: float = 0.0
    finished: bool = False

    def apply(self, event: Event) -> None:
        """Take one event in. Events of unknown names are passed over, so that later versions may add some."""
        handler = getattr(self, f"_on_{event.event}", None)
        if handler is not None:
            handler(event)
        self.last_event = event.time

    def study(self, name: str) -> StudyState:
        """What is known of one study."""
        return self.studies.setdefault(name, StudyState(name=name))

    def first_waiting(self) -> TrialState | None:
        """The trial that has waited longest to be started, or started again."""
        return next((trial for trial in self.trials.values() if trial.state == "waiting"), None)

    def all_ended(self, study: str | None = None) -> bool:
        """Whether nothing is waiting or running (in one study, or at all)."""
        return all(trial.ended for trial in self.trials.values() if study in (None, trial.study))

    def is_over(self, study: str) -> bool:
        """Whether a study asks for no more trials, and all that it asked for have ended."""
        return self.study(study).ended is not None and self.all_ended(study)

    def is_better(self, value: float, other: float) -> bool:
        """Whether `value` improves on `other`."""
        return value < other if self.mode == "min" else value > other

    def values_at(self, trial: TrialState, rung: int) -> list[float]:
        """The objective of every arrival at the rung in the trial's group, in order, up to the trial itself."""
        arrivals = self.arrivals[trial.study, trial.group, rung]
        upto = arrivals[: arrivals.index(trial.id) + 1]
        return [self.trials[name].rungs[rung] for name in upto]

    def ranking(self, study: str) -> list[TrialState]:
        """Trained and completed trials of the study, best first; ties by number."""
        done = [
            trial
            for trial in self.trials.values()
            if trial.study == study and trial.state == "completed" and trial.repeats is None
        ]
        sign = 1 if self.mode == "min" else -1
        return sorted(done, key=lambda trial: (sign * (trial.value or 0.0), trial.number))

    def seconds(self, now: float) -> float:
        """Wall clock of the search, summed over its sessions."""
        return self.earlier_seconds + max(0.0, now - self.session_start) if self.sessions else 0.0

    def _on_opened(self, event: Event) -> None:
        self._on_resumed(event)

    def _on_resumed(self, event: Event) -> None:
        if self.sessions:
            self.earlier_seconds += max(0.0, self.last_event - self.session_start)
        self.sessions += 1
        self.session_start = event.time
        for trial in self.trials.values():
            if trial.state == "running" or (trial.state == "failed" and trial.kind == "bug"):
                self._wait(trial)

    def _on_asked(self, event: Event) -> None:
        data = event.data
        trial = TrialState(
            id=_name(event),
            role=event.role or "",
            arm=event.arm or "",
            seed=event.seed or 0,
            parameters=dict(data["parameters"]),
            study=data["study"],
            number=data["number"],
            group=data["group"],
            asked_at=event.time,
        )
        self.trials[trial.id] = trial
        if trial.number is not None:
            study = self.study(trial.study)
            study.asks += 1
            study.trained += 1
            study.known.setdefault(configuration_key(trial.parameters), trial.id)

    def _on_started(self, event: Event) -> None:
        trial = self._trial(event)
        trial.state = "running"
        trial.attempt = event.attempt or 1
        trial.retries += event.data["after"] == "lost"
        trial.gpus = event.data["gpus"]
        trial.started_at = event.time
        if trial.number is not None:
            study = self.study(trial.study)
            study.refusals = study.repeats = 0

    def _on_report(self, event: Event) -> None:
        trial = self._trial(event)
        rung = event.data["rung"]
        trial.reports[rung] = trial.progress = Progress.from_json(event.data["progress"])
        trial.rungs[rung] = event.data["value"]
        self.arrivals.setdefault((trial.study, trial.group, rung), []).append(trial.id)

    def _on_rung(self, event: Event) -> None:
        self._trial(event).decisions[event.data["rung"]] = Decision(event.data["decision"])

    def _on_paused(self, event: Event) -> None:
        self._wait(self._trial(event))

    def _on_stopped(self, event: Event) -> None:
        self._end(event, "stopped")

    def _on_completed(self, event: Event) -> None:
        trial = self._trial(event)
        trial.value = float(event.data["value"])
        self._end(event, "completed")
        if trial.number is None:
            return
        study = self.study(trial.study)
        best = self.trials[study.best].value if study.best is not None else None
        if best is None or self.is_better(trial.value, best):
            study.best = trial.id
            study.without_improvement = 0
        else:
            study.without_improvement += 1

    def _on_failed(self, event: Event) -> None:
        trial = self._trial(event)
        self._end(event, "failed")
        if trial.kind == "infrastructure" and trial.number is not None:
            known = self.study(trial.study).known
            key = configuration_key(trial.parameters)
            if known.get(key) == trial.id:
                del known[key]

    def _on_refused(self, event: Event) -> None:
        trial = self._trial(event)
        study = self.study(trial.study)
        self._end(event, "refused")
        study.trained -= 1
        study.refusals += 1
        study.repeats += trial.kind == "repeat"

    def _on_ended(self, event: Event) -> None:
        self.study(event.data["study"]).ended = event.data["reason"]

    def _on_closed(self, event: Event) -> None:
        self.finished = bool(event.data["finished"])

    @staticmethod
    def _wait(trial: TrialState) -> None:
        """It is to be started again: its process ended, or met a bug of ours that may be mended by now."""
        trial.state = "waiting"
        trial.ended_at = trial.kind = trial.reason = trial.log = None

    def _end(self, event: Event, state: str) -> None:
        trial = self._trial(event)
        data = event.data
        trial.state = state
        trial.ended_at = event.time
        trial.kind = data.get("kind")
        trial.reason = data.get("reason")
        trial.log = data.get("log")
        trial.repeats = data.get("repeats")
        if data.get("outcome") is not None:
            trial.outcome = Outcome.from_json(data["outcome"])
        if trial.number is not None and state != "refused":
            study = self.study(trial.study)
            study.refusals = study.repeats = 0

    def _trial(self, event: Event) -> TrialState:
        return self.trials[_name(event)]


def _name(event: Event) -> str:
    assert event.trial is not None, event
    return event.trial
