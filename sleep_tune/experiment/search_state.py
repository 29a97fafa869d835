"""State of a search: a fold over its events. The search builds it live, every reader builds it from the log.

`apply` is the only way to change it. Each event updates the values that are read often (open trials, ranks at rungs,
the best trial), so that reading them takes the same time after ten trials as after ten thousand.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from sleep_tune.experiment.look_evidence import ArmEvidence, Looks
from sleep_tune.experiment.trial_state import Arrivals, RungRank, TrialState, Value, configuration_key, version_key
from sleep_tune.records import Decision, Event, Outcome, Progress

__all__ = ["BEST", "MAIN", "LookTaken", "Placement", "SearchState", "StudyState", "TrialState", "fold_events"]

MAIN = "search"
"""Name of the study that the space describes; a tuned baseline's study has the baseline's name."""

BEST = "best"
"""What an arm calls the best trial of the search; no arm has this name."""


class Placement(Protocol):
    """Where a search trial's settings lie in the current space (`search.decide`'s `CurrentSpace`)."""

    def point(self, study: str, settings: Mapping[str, Value]) -> dict[str, Value] | None: ...  # noqa: D102
    def group(self, point: Mapping[str, Value]) -> str: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class LookTaken:
    """A look that has been taken: the arms were judged with all runs up to a number of seeds."""

    number: int
    """From 1, in the plan that was valid then."""
    seeds: int
    reason: str | None
    """Why the arms could not be compared."""
    arms: Mapping[str, ArmEvidence | None]
    """Arm for which it was the first look at this number of seeds -> the evidence; None if it was not compared."""


@dataclass(slots=True, kw_only=True)
class StudyState:
    """State of one study, a search for settings: the space's own, or a tuned baseline's."""

    name: str
    asks: int = 0
    ended: str | None = None
    """Why it asks for no more trials."""
    trained: int = 0
    """Trials that count toward stop.trials: all that were not refused, also those outside the current space."""
    refusals: int = 0
    """Trials refused in a row."""
    repeats: int = 0
    """Of these, repeats since a trial of the study last started, paused at a rung, or ended."""
    known: dict[str, str] = field(default_factory=dict)
    """Settings in the current space -> the first trial that was asked for with them."""
    lost: dict[str, dict[str, Value]] = field(default_factory=dict)
    """Settings that are not known any more, as their trial failed because of its machine; by their key."""
    enqueued: dict[str, int] = field(default_factory=dict)
    """Points of the space's `enqueue` -> how often each has been asked for."""
    best: str | None = None
    ranked: list[tuple[float, int, str]] = field(default_factory=list)
    """Trained and completed trials that fit the current space, best first: (signed value, place in order of asking,
    trial)."""
    without_improvement: int = 0
    """Completed trials since the last new best."""
    gpu_seconds: float = 0.0
    """GPU-seconds of its trials by the log; lost and failed attempts count."""


@dataclass(slots=True, kw_only=True)
class SearchState:
    """State of a whole search.

    With a `placement`, search trials are placed in the current space; without, in the one they were asked for in.
    """

    mode: str
    """'min' or 'max'."""
    placement: Placement | None = field(default=None, compare=False, repr=False)
    trials: dict[str, TrialState] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)
    """Trials that are waiting, running or paused, in the order in which they began to wait."""
    studies: dict[str, StudyState] = field(default_factory=dict)
    arrivals: dict[tuple[str, bool, str, int], Arrivals] = field(default_factory=dict)
    """(study, whether the trials fit the current space, group, nominal words) -> the values reported there."""
    arms: dict[str, list[str]] = field(default_factory=dict)
    """Arm -> keys of its versions (`version_key`) that were trained over fresh seeds, in the order of their first runs.
    """
    versions: dict[str, str] = field(default_factory=dict)
    """Arm -> the key of its present version: the last that was asked for or returned to."""
    evidence: dict[str, dict[str, dict[int, ArmEvidence | None]]] = field(default_factory=dict)
    """Arm -> key of its version -> number of fresh seeds at a look -> the evidence then; None if the arm was not
    compared."""
    looks: list[LookTaken] = field(default_factory=list)
    """Looks at the arms so far."""
    space: Mapping[str, Any] | None = None
    """The space of the last 'opened' or 'changed' event, as JSON; None in a log of an earlier version."""
    seeds_source: str | None = None
    """What fresh seeds are drawn from (`seeds_source`); None in a log of an earlier version."""
    warmed: list[str] = field(default_factory=list)
    """Folders of earlier experiments whose trials have been copied since then."""
    changes: list[str] = field(default_factory=list)
    """How this session differs from the last: options of the space, trials that were copied."""
    sessions: int = 0
    earlier_seconds: float = 0.0
    """Wall clock of the earlier sessions."""
    session_start: float = 0.0
    last_event: float = 0.0
    finished: bool = False
    closed: bool = False
    """Whether the last session ended in order; False while one runs, and after a kill."""

    def apply(self, event: Event) -> None:
        """Update the state with one event. Unknown events are ignored, so that later versions may add some."""
        handler = getattr(self, f"_on_{event.event}", None)
        if handler is not None:
            handler(event)
        self.last_event = event.time

    def study(self, name: str) -> StudyState:
        """Return the state of a study. Read only."""
        return self.studies.get(name) or StudyState(name=name)

    def version(self, run: TrialState) -> str:
        """Return the key of the version of its arm that a run over fresh seeds belongs to."""
        return version_key(run.parameters, None if run.matched is None else self.trials[run.matched].arm)

    def looks_at(self, arm: str) -> Looks:
        """Return the looks that the present version of an arm has had."""
        return self.evidence.get(arm, {}).get(self.versions.get(arm, ""), {})

    def open_trials(self) -> Iterator[TrialState]:
        """Return the trials that are waiting, running or paused at a rung."""
        return (self.trials[name] for name in self.open)

    def best(self, study: str = MAIN) -> TrialState | None:
        """Return the best completed trial of a study so far."""
        name = self.study(study).best
        return None if name is None else self.trials[name]

    def first_waiting(self, *, alone: bool = False) -> TrialState | None:
        """Return the waiting trial that has waited longest, among those that must run alone or those that need not."""
        return next((trial for trial in self.waiting() if trial.alone == alone), None)

    def is_taken(self) -> bool:
        """Return whether a trial runs that nothing else may run beside."""
        return any(trial.state == "running" and trial.alone for trial in self.open_trials())

    def waiting(self) -> Iterator[TrialState]:
        """Return the trials to be started or restarted, longest waiting first."""
        return (trial for trial in self.open_trials() if trial.state == "waiting")

    def num_running(self) -> int:
        """Return the number of running trials."""
        return sum(trial.state == "running" for trial in self.open_trials())

    def all_ended(self, study: str | None = None) -> bool:
        """Return whether no trial (of one study, or at all) is waiting, running or paused at a rung."""
        return not any(study in (None, trial.study) for trial in self.open_trials())

    def is_over(self, study: str) -> bool:
        """Return whether a study asks for no more trials and all of its trials have ended."""
        return self.study(study).ended is not None and self.all_ended(study)

    def is_better(self, value: float, other: float) -> bool:
        """Return whether `value` improves on `other`."""
        return value < other if self.mode == "min" else value > other

    def rank_now(self, trial: TrialState, rung: int) -> RungRank:
        """Return the rank of a trial's finite value among all that have reached a rung by now."""
        return self.arrivals[_rung_key(trial, rung)].rank(trial.id, trial.rungs[rung], trial.ranks[rung].reported)

    def ranking(self, study: str) -> Iterator[TrialState]:
        """Return the study's trained and completed trials that fit the current space, best first; ties by age."""
        return (self.trials[name] for _, _, name in self.study(study).ranked)

    def gpu_hours(self, study: str) -> float:
        """Return the GPU-hours of a study's trials, as last reported. They never decrease."""
        running = (trial for trial in self.open_trials() if trial.study == study)
        since = sum(trial.gpu_seconds - trial.held for trial in running)
        return (self.study(study).gpu_seconds + since) / 3600

    def seconds(self, now: float) -> float:
        """Return the wall clock of the search in seconds, over its sessions; `now` is in seconds since 1970."""
        return self.earlier_seconds + max(0.0, now - self.session_start) if self.sessions else 0.0

    def _on_opened(self, event: Event) -> None:
        self.space = event.data.get("study")
        self.seeds_source = event.data.get("seeds_source")
        self._on_resumed(event)

    def _on_resumed(self, event: Event) -> None:
        if self.sessions:
            self.earlier_seconds += max(0.0, self.last_event - self.session_start)
        self.sessions += 1
        self.closed = False
        self.session_start = event.time
        self.changes = []
        for trial in self.trials.values():
            if trial.state == "running" or (trial.state == "failed" and trial.kind == "bug"):
                self._wait(trial)

    def _on_changed(self, event: Event) -> None:
        """Forget which studies have ended: whether they have depends on the new space."""
        self.space = event.data["space"]
        self.changes += event.data["differences"]
        self.finished = False
        self.warmed.clear()
        for study in self.studies.values():
            study.ended = None
            study.refusals = study.repeats = 0

    def _on_warmed(self, event: Event) -> None:
        data = event.data
        self.warmed.append(data["source"])
        self.changes.append(f"{data['adopted']} trials of {data['source']} are known ({data['elsewhere']} do not fit)")

    def _on_adopted(self, event: Event) -> None:
        for part in event.parts():
            self.apply(part)

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
            place=len(self.trials),
            enqueued=data.get("enqueued") is not None,
            source=data.get("source"),
            matched=data.get("matched"),
            asked_at=event.time,
        )
        self.trials[trial.id] = trial
        self.open[trial.id] = None
        if trial.study:
            self._place(trial)
            self._count(trial, data.get("enqueued"))
        else:
            known, key = self.arms.setdefault(trial.arm, []), self.version(trial)
            if key not in known:
                known.append(key)
            self.versions[trial.arm] = key

    def _on_returned(self, event: Event) -> None:
        run = self.trials[event.data["run"]]
        self.versions[run.arm] = self.version(run)
        if run.kind == "dropped":
            run.kind = run.reason = None
            self._wait(run)

    def _place(self, trial: TrialState) -> None:
        trial.point = dict(trial.parameters)
        if self.placement is not None:
            trial.point = self.placement.point(trial.study, trial.parameters)
            trial.group = trial.group if trial.point is None else self.placement.group(trial.point)

    def _count(self, trial: TrialState, enqueued: Mapping[str, Value] | None) -> None:
        study = self._study(trial.study)
        if trial.number is not None:
            study.asks += 1
            study.trained += 1
        if trial.point is not None:
            key = configuration_key(trial.point)
            study.known.setdefault(key, trial.id)
            study.lost.pop(key, None)
        if enqueued is not None:
            key = configuration_key(enqueued)
            study.enqueued[key] = study.enqueued.get(key, 0) + 1

    def _on_started(self, event: Event) -> None:
        trial = self._trial(event)
        self._spend(trial, event.data.get("seconds"))
        trial.state = "running"
        trial.ended_at = trial.kind = trial.reason = trial.log = None
        trial.attempt = event.attempt or 1
        trial.retries += event.data["after"] == "lost"
        trial.gpus = event.data["gpus"]
        trial.killer = event.data.get("killer")
        if event.data["after"] is None:  # a restart is no progress
            self._reset_refusals(trial)

    def _on_report(self, event: Event) -> None:
        trial = self._trial(event)
        rung = event.data["rung"]
        trial.reports[rung] = trial.progress = Progress.from_json(event.data["progress"])
        self._spend(trial, trial.progress.seconds)
        trial.attempts[rung] = event.attempt
        trial.rungs[rung] = event.data["value"]
        if trial.study:
            arrivals = self.arrivals.setdefault(_rung_key(trial, rung), Arrivals(self.mode))
            trial.ranks[rung] = arrivals.add(trial.id, trial.rungs[rung])

    def _on_rung(self, event: Event) -> None:
        trial, data = self._trial(event), event.data
        trial.decisions[data["rung"]] = Decision(data["decision"])
        trial.kept[data["rung"]] = (data["kept"], data["reported"])

    def _on_paused(self, event: Event) -> None:
        trial = self._trial(event)
        outcome = event.data["outcome"]
        self._spend(trial, outcome["seconds"] if outcome is not None else None)
        if trial.paused_at is None:
            self._wait(trial)
        else:
            trial.state = "paused"
            trial.reason = event.data["reason"]
            self._reset_refusals(trial)

    def _on_promoted(self, event: Event) -> None:
        trial, data = self._trial(event), event.data
        trial.decisions[data["rung"]] = Decision.CONTINUE
        trial.kept[data["rung"]] = (data["kept"], data["reported"])
        trial.reason = None
        self._wait(trial)

    def _on_deferred(self, event: Event) -> None:
        trial, data = self._trial(event), event.data
        self._spend(trial, data.get("seconds"))
        trial.alone = True
        trial.reason, trial.log = data["reason"], data.get("log")
        self._wait(trial)

    def _on_stopped(self, event: Event) -> None:
        self._end(event, "stopped")

    def _on_completed(self, event: Event) -> None:
        trial = self._trial(event)
        trial.value = float(event.data["value"])
        self._end(event, "completed")
        if trial.point is None:
            return
        study = self._study(trial.study)
        if trial.repeats is None:
            signed = trial.value if self.mode == "min" else -trial.value
            bisect.insort(study.ranked, (signed, trial.place, trial.id))
        best = self.trials[study.best].value if study.best is not None else None
        if best is None or self.is_better(trial.value, best):
            study.best = trial.id
            study.without_improvement = 0
        elif trial.number is not None:
            study.without_improvement += 1

    def _on_failed(self, event: Event) -> None:
        trial = self._trial(event)
        self._end(event, "failed")
        if trial.kind == "infrastructure" and trial.point is not None:
            study = self._study(trial.study)
            key = configuration_key(trial.point)
            if study.known.get(key) == trial.id:
                del study.known[key]
                study.lost[key] = trial.point

    def _on_refused(self, event: Event) -> None:
        trial = self._trial(event)
        self._end(event, "refused")
        if trial.number is None:
            return
        study = self._study(trial.study)
        study.trained -= 1
        if not trial.enqueued:
            study.refusals += 1
            study.repeats += trial.kind == "repeat"

    def _on_ended(self, event: Event) -> None:
        self._study(event.data["study"]).ended = event.data["reason"]

    def _on_look(self, event: Event) -> None:
        data = event.data
        arms = {arm: None if of is None else ArmEvidence.from_json(of) for arm, of in data["arms"].items()}
        self.looks.append(LookTaken(data["number"], data["seeds"], data.get("reason"), arms))
        for arm, evidence in arms.items():
            self.evidence.setdefault(arm, {}).setdefault(self.versions[arm], {})[data["seeds"]] = evidence

    def _on_closed(self, event: Event) -> None:
        self.finished, self.closed = bool(event.data["finished"]), True
        for name, seconds in (event.data.get("seconds") or {}).items():
            self._spend(self.trials[name], seconds)

    def _wait(self, trial: TrialState) -> None:
        """Mark it as waiting for another attempt: its process ended, or failed by a bug that may be fixed by now.

        Until it is started it keeps the reason of its failure.
        """
        trial.state = "waiting"
        self.open[trial.id] = None

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
        if trial.repeats is None:
            self._spend(trial, data.get("seconds"))
            self._spend(trial, trial.outcome.seconds if trial.outcome is not None else None)
        self.open.pop(trial.id)
        if state != "refused":
            self._reset_refusals(trial)

    def _reset_refusals(self, trial: TrialState) -> None:
        """Count refusals in a row of the trial's study from 0 again, as one of its trials has come further."""
        if trial.number is not None:
            study = self._study(trial.study)
            study.refusals = study.repeats = 0

    def _spend(self, trial: TrialState, seconds: float | None) -> None:
        """Count the seconds that a trial has taken so far, if an event states them."""
        if seconds is None:
            return
        before = trial.held
        trial.spend(seconds)
        self._study(trial.study).gpu_seconds += trial.held - before

    def _study(self, name: str) -> StudyState:
        if name not in self.studies:
            self.studies[name] = StudyState(name=name)
        return self.studies[name]

    def _trial(self, event: Event) -> TrialState:
        return self.trials[_name(event)]


def _rung_key(trial: TrialState, rung: int) -> tuple[str, bool, str, int]:
    """Return the key of the trials that a search trial is compared with at a rung (`SearchState.arrivals`)."""
    return trial.study, trial.point is not None, trial.group, rung


def _name(event: Event) -> str:
    assert event.trial is not None, event
    return event.trial


def fold_events(events: Iterable[Event], mode: str = "min") -> SearchState:
    """Return the state after these events, with trials in the space that they were asked for in.

    Args:
        events: of one log, in order, from the first.
        mode: 'min' or 'max', of the objective; it decides only ranks and best trials.
    """
    state = SearchState(mode=mode)
    for event in events:
        state.apply(event)
    return state
