"""Schema of the search's events: the data of each event, and the order in which events may follow each other.

An event that passes can be folded by every reader without another look at its types.

`data` of each event, as the director writes it:

| event | data |
|---|---|
| opened | space (its name), study (the space as JSON), budget_words, corpus: {words, samples}, seeds_source (what
  fresh seeds are drawn from) |
| resumed | nothing |
| changed | differences (as text), space (the space from now on, as JSON) |
| warmed | source (folder of an earlier experiment), adopted (its trials that fit this space and were copied),
  elsewhere (its trials that do not fit) |
| asked | study, number (of the ask, from 0; null for runs over fresh seeds), parameters (of an arm: all that it sets
  over the base), group; enqueued (the point of the space's `enqueue` that it was asked for), source (the folder that it
  was copied from), matched (the run whose exposures it has) |
| returned | run: its arm has the settings of this run again; if it was dropped, it waits again |
| adopted | events: [{event, data}], all events of one trial of an earlier experiment: asked, report..., its end |
| started | after: null, "resumed" or "lost"; gpus; seconds (spent by the attempts before); killer (what killed the
  attempt before because its machine ran out of memory, or null); alone: true, if nothing else runs meanwhile |
| paused | reason; outcome (how far the attempt came; null if it had not begun). The next attempt resumes the trial;
  one that paused at a rung waits until it is promoted |
| deferred | reason: memory ran out while it shared that memory with other trials; log (path); seconds. The next
  attempt resumes it alone |
| report | rung (nominal words), value (of the objective), progress (with every metric) |
| rung | rung, value, decision: "continue", "stop" or "pause", reported (arrivals so far), kept, group |
| promoted | rung (where it had paused), reported (arrivals there so far), kept: the trial waits to be resumed |
| stopped | reason; outcome (null if the process ended before it reported one); seconds; repeats as below |
| completed | value, outcome; repeats (the trial whose result it has) and reason, if it was not trained |
| failed | kind: diverged, out_of_memory, infrastructure, bug, parent (`matched` failed); reason; log (path); seconds;
  outcome, repeats as above |
| refused | kind: budget, config, repeat or dropped (its arm has other settings by now, or is no more); reason |
| ended | study, reason: that study asks for no more trials |
| look | number (of the look in the space's plan, from 1), seeds (number of fresh seeds), arms (arm -> its evidence, as
  `ArmEvidence` has it, or null: it is not compared); reason (why the arms cannot be compared, or null). Only arms that
  had no look at this number of seeds are named |
| closed | finished: whether the search is over, or only this session; seconds (trial -> spent so far, where no earlier
  event says so) |
"""

import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from sleep_tune.errors import shortened, unknown
from sleep_tune.experiment.json_checks import (
    Check,
    is_amount,
    is_bool,
    is_index,
    is_measure,
    is_text,
    list_of,
    mapping_of,
    nullable,
    one_of,
)
from sleep_tune.experiment.look_evidence import DECISIONS, ArmEvidence
from sleep_tune.records import Decision, Event, Outcome, Progress

__all__ = ["ENDS", "EVENTS", "EventChecker"]

ABSENT = object()
"""Stands for the value of a missing key."""
YEAR_10000 = 253_402_300_800
"""In seconds since 1970; times are before it."""


def _is_finite(value: Any) -> bool:
    return is_measure(value) and math.isfinite(value)


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bool) or _is_finite(value)


def _is_space(value: Any) -> bool:
    return isinstance(value, dict) and is_text(value.get("name"))


def _is_corpus(value: Any) -> bool:
    return isinstance(value, dict) and is_index(value.get("words")) and is_index(value.get("samples"))


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"event", "data"} and isinstance(value["event"], str)


def _are_parts(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 1 and all(map(_is_part, value))


def _optional(check: Check) -> Check:
    """Return a check that also accepts null and a missing key."""
    return lambda value: value is None or value is ABSENT or check(value)


SETTINGS = mapping_of(_is_scalar)
"""Values by dotted key."""


def _is_place(value: Any) -> bool:
    """Return whether a value counts from 1."""
    return is_index(value) and value >= 1


def _is_probability(value: Any) -> bool:
    return _is_finite(value) and 0 <= value <= 1


def _record(kind: type[Progress | Outcome | ArmEvidence], **special: Check) -> Check:
    """Return a check for the JSON of a record: every field of its type, no other, and none missing.

    Args:
        kind: of the record.
        special: field -> its check, where the type does not say it all.
    """
    types: dict[Any, Check] = {int: is_index, float: is_amount, str: is_text, int | None: _optional(is_index)}
    types[float | None] = _optional(_is_finite)
    checks = {field.name: types.get(field.type, mapping_of(is_measure)) for field in fields(kind)} | special
    needed = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}

    def check(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and needed <= value.keys() <= checks.keys()
            and all(checks[key](part) for key, part in value.items())
        )

    return check


HEAD: dict[str, Check] = {
    "trial": _optional(is_text),
    "attempt": _optional(is_index),
    "role": _optional(one_of("search", "baseline", "arm", "finalist")),
    "arm": _optional(is_text),
    "seed": _optional(is_index),
}

_PROGRESS, _OUTCOME = _record(Progress), _optional(_record(Outcome))
_END: dict[str, Check] = {"reason": _optional(is_text), "outcome": _OUTCOME, "repeats": _optional(is_text)}

_EVIDENCE = _record(ArmEvidence, decided=one_of(*DECISIONS), p=_is_probability, power=_is_probability)

OF_SEARCH: dict[str, dict[str, Check]] = {
    "opened": {
        "space": is_text,
        "budget_words": is_index,
        "corpus": _is_corpus,
        "study": _optional(_is_space),
        "seeds_source": _optional(is_text),
    },
    "resumed": {},
    "changed": {"differences": list_of(is_text), "space": _is_space},
    "warmed": {"source": is_text, "adopted": is_index, "elsewhere": is_index},
    "ended": {"study": is_text, "reason": is_text},
    "returned": {"run": is_text},
    "look": {
        "number": _is_place,
        "seeds": _is_place,
        "arms": mapping_of(nullable(_EVIDENCE)),
        "reason": _optional(is_text),
    },
    "closed": {"finished": is_bool, "seconds": _optional(mapping_of(is_amount))},
}
"""Event of the search itself -> key of its data -> check."""

OF_TRIAL: dict[str, dict[str, Check]] = {
    "asked": {
        "study": is_text,
        "number": nullable(is_index),
        "parameters": SETTINGS,
        "group": is_text,
        "enqueued": _optional(SETTINGS),
        "source": _optional(is_text),
        "matched": _optional(is_text),
    },
    "adopted": {"events": _are_parts},
    "started": {
        "after": one_of(None, "resumed", "lost"),
        "gpus": is_amount,
        "seconds": _optional(is_amount),
        "alone": _optional(is_bool),
    },
    "paused": {"reason": _optional(is_text), "outcome": nullable(_record(Outcome))},
    "deferred": {"reason": is_text, "log": _optional(is_text), "seconds": _optional(is_amount)},
    "report": {"rung": is_index, "value": is_measure, "progress": _PROGRESS},
    "rung": {
        "rung": is_index,
        "decision": one_of(*(decision.value for decision in Decision)),
        "reported": is_index,
        "kept": is_index,
    },
    "promoted": {"rung": is_index, "reported": is_index, "kept": is_index},
    "stopped": _END | {"seconds": _optional(is_amount)},
    "completed": _END | {"value": _is_finite},
    "failed": _END
    | {
        "kind": one_of("diverged", "out_of_memory", "infrastructure", "bug", "parent"),
        "log": _optional(is_text),
        "seconds": _optional(is_amount),
    },
    "refused": {"kind": one_of("budget", "config", "repeat", "dropped"), "reason": _optional(is_text)},
}
"""Event of a trial -> key of its data -> check."""

EVENTS = OF_SEARCH | OF_TRIAL
ENDS = ("stopped", "completed", "failed", "refused")


class EventChecker:
    """Checks the events of one log, in their order."""

    def __init__(self) -> None:
        self._is_opened = False
        self._ended: dict[str, bool] = {}
        """Trial -> whether it has ended."""
        self._bugs: set[str] = set()
        """Trials that failed by a bug of this program: the next session starts them again."""
        self._dropped: set[str] = set()
        """Runs that were dropped, and may be returned to."""
        self._arms: set[str] = set()
        """Arms that have runs over fresh seeds."""
        self._reported: set[tuple[str, int]] = set()

    def check(self, values: Mapping[str, Any]) -> Event:
        """Return the event that a line holds.

        Args:
            values: the line's object, without its schema, number and checksum.

        Raises:
            ValueError: it is no event, a key is missing or has a wrong value, or it cannot follow the earlier events.
        """
        event = _event(values)
        if event.event in OF_TRIAL:
            if event.trial is None:
                raise ValueError(f"'{event.event}' must name a trial")
            for part in _parts(event):
                self._follow(part, event.trial)
        elif event.event == "opened" and self._is_opened:
            raise ValueError("the search is opened a second time")
        elif event.event == "resumed":
            self._ended.update(dict.fromkeys(self._bugs, False))
            self._bugs.clear()
        elif event.event == "returned":
            self._return(event.data["run"])
        for arm in event.data["arms"] if event.event == "look" else ():
            if arm not in self._arms:
                raise ValueError(f"'look' names the arm {shortened(arm)}, which has no runs over fresh seeds")
        for trial in (event.data.get("seconds") or {}) if event.event == "closed" else ():
            if trial not in self._ended:
                raise ValueError(f"'closed' counts seconds of {shortened(trial)}, which was never asked for")
        if not self._is_opened and event.event != "opened":
            raise ValueError(f"a search begins with 'opened', not with '{event.event}'")
        self._is_opened = True
        return event

    def _return(self, run: str) -> None:
        if run not in self._ended:
            raise ValueError(f"'returned' names {shortened(run)}, which was never asked for")
        if run in self._dropped:
            self._dropped.remove(run)
            self._ended[run] = False

    def _follow(self, event: Event, trial: str) -> None:
        """Check that an event may follow the trial's earlier events."""
        ended = self._ended.get(trial)
        if event.event == "asked":
            if ended is not None:
                raise ValueError(f"{shortened(trial)} is asked for a second time")
            parent = event.data.get("matched")
            if parent is not None and parent not in self._ended:
                raise ValueError(f"{shortened(trial)} is matched to {shortened(parent)}, which was never asked for")
            self._ended[trial] = False
            if not event.data["study"]:
                self._arms.add(event.arm or "")
            return
        if ended is not False:
            what = "was never asked for" if ended is None else "has ended"
            raise ValueError(f"'{event.event}' is of {shortened(trial)}, which {what}")
        if event.event == "started" and not event.attempt:
            raise ValueError("'started' must have an attempt")
        if event.event == "report":
            self._reported.add((trial, event.data["rung"]))
        if event.event in ("rung", "promoted") and (trial, event.data["rung"]) not in self._reported:
            raise ValueError(f"{shortened(trial)} has not reported at rung {event.data['rung']}")
        if event.event in ENDS:
            self._ended[trial] = True
            for kind, trials in (("bug", self._bugs), ("dropped", self._dropped)):
                if event.data.get("kind") == kind:
                    trials.add(trial)


def _event(values: Mapping[str, Any]) -> Event:
    """Return the event, checked by itself."""
    name, data = values.get("event"), values.get("data")
    if not isinstance(name, str) or name not in EVENTS:
        raise ValueError(unknown("event", name, EVENTS))
    if not (is_amount(values.get("time")) and values["time"] < YEAR_10000):
        raise ValueError(f"'time' must be seconds since 1970; got {shortened(repr(values.get('time')))}")
    if not isinstance(data, dict):
        raise ValueError(f"'data' must be an object; got {shortened(repr(data))}")
    for key in values.keys() - {"event", "time", "data"}:
        if key not in HEAD or not HEAD[key](values[key]):
            raise ValueError(f"'{shortened(key)}' cannot be {shortened(repr(values[key]))}")
    for key, check in EVENTS[name].items():
        if not check(data.get(key, ABSENT)):
            got = f"cannot be {shortened(repr(data[key]))}" if key in data else "is missing"
            raise ValueError(f"'{key}' of '{name}' {got}")
    return Event(**values)


def _parts(event: Event) -> tuple[Event, ...]:
    """Return the event itself; of 'adopted', the events that it consists of, each checked by itself."""
    if event.event != "adopted":
        return (event,)
    head = {"time": event.time, "trial": event.trial}
    parts = tuple(_event(head | part) for part in event.data["events"])
    names = [part.event for part in parts]
    if names[0] != "asked" or names[-1] not in ENDS or not set(names[1:-1]) <= {"report"}:
        raise ValueError(f"an adopted trial is asked for, reports and ends; got {', '.join(names)}")
    return parts
