"""What each event of a search must hold, and which trials it may be about.

An event that passes can be folded by every reader without another look at its types. Knows no files.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any

from sleep_tune.errors import shortened, unknown
from sleep_tune.records import Decision, Event, Outcome, Progress, is_count, is_number

__all__ = ["EVENTS", "EventChecker"]

Check = Callable[[Any], bool]

ABSENT = object()
"""Stands for the value of a key that is not there."""
LARGEST = 2**63
"""Counts are below this, so that tables can hold them."""
END_OF_TIME = 253_402_300_800
"""The year 10000, in seconds since 1970."""


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _count(value: Any) -> bool:
    return is_count(value) and value < LARGEST


def _number(value: Any) -> bool:
    """A number, or NaN."""
    return is_number(value) and (isinstance(value, float) or abs(value) < LARGEST)


def _finite(value: Any) -> bool:
    return _number(value) and math.isfinite(value)


def _amount(value: Any) -> bool:
    """Seconds, GPUs."""
    return _finite(value) and value >= 0


def _amounts(value: Any) -> bool:
    """Seconds by trial."""
    return isinstance(value, dict) and all(map(_amount, value.values()))


def _moment(value: Any) -> bool:
    return _amount(value) and value < END_OF_TIME


def _scalar(value: Any) -> bool:
    return value is None or isinstance(value, str | bool) or _finite(value)


def _settings(value: Any) -> bool:
    """Values by dotted key."""
    return isinstance(value, dict) and all(map(_scalar, value.values()))


def _metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_number, value.values()))


def _space(value: Any) -> bool:
    return isinstance(value, dict) and _text(value.get("name"))


def _corpus(value: Any) -> bool:
    return isinstance(value, dict) and _count(value.get("words")) and _count(value.get("samples"))


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _nullable(check: Check) -> Check:
    """The value, or null."""
    return lambda value: value is None or check(value)


def _optional(check: Check) -> Check:
    """The value, or null, or nothing at all."""
    return lambda value: value is None or value is ABSENT or check(value)


def _one_of(*choices: Any) -> Check:
    return lambda value: any(value is choice or (isinstance(value, str) and value == choice) for choice in choices)


def _record(kind: type[Progress | Outcome]) -> Check:
    """The JSON of a record that crosses layers: every field of its type, no other, and none missing."""
    types: dict[Any, Check] = {int: _count, float: _amount, str: _text, int | None: _optional(_count)}
    checks = {field.name: types.get(field.type, _metrics) for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}

    def check(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and needed <= value.keys() <= checks.keys()
            and all(checks[key](part) for key, part in value.items())
        )

    return check


HEAD: dict[str, Check] = {
    "trial": _optional(_text),
    "attempt": _optional(_count),
    "role": _optional(_one_of("search", "baseline", "finalist")),
    "arm": _optional(_text),
    "seed": _optional(_count),
}

_PROGRESS, _OUTCOME = _record(Progress), _optional(_record(Outcome))
_END: dict[str, Check] = {"reason": _optional(_text), "outcome": _OUTCOME, "repeats": _optional(_text)}

OF_SEARCH: dict[str, dict[str, Check]] = {
    "opened": {
        "space": _text,
        "budget_words": _count,
        "corpus": _corpus,
        "study": _optional(_space),
        "seeds_source": _optional(_text),
    },
    "resumed": {},
    "changed": {"differences": _texts, "space": _space},
    "warmed": {"source": _text, "adopted": _count, "elsewhere": _count},
    "ended": {"study": _text, "reason": _text},
    "closed": {"finished": lambda value: isinstance(value, bool), "seconds": _optional(_amounts)},
}
"""Event of the search itself -> what its data must hold."""

OF_TRIAL: dict[str, dict[str, Check]] = {
    "asked": {
        "study": _text,
        "number": _nullable(_count),
        "parameters": _settings,
        "group": _text,
        "enqueued": _optional(_settings),
        "source": _optional(_text),
    },
    "adopted": {"events": lambda value: isinstance(value, list) and len(value) > 1 and all(map(_is_part, value))},
    "started": {"after": _one_of(None, "resumed", "lost"), "gpus": _amount, "seconds": _optional(_amount)},
    "paused": {"reason": _optional(_text), "outcome": _nullable(_record(Outcome))},
    "report": {"rung": _count, "value": _number, "progress": _PROGRESS},
    "rung": {
        "rung": _count,
        "decision": _one_of(Decision.CONTINUE.value, Decision.STOP.value),
        "reported": _count,
        "kept": _count,
    },
    "stopped": _END | {"seconds": _optional(_amount)},
    "completed": _END | {"value": _finite},
    "failed": _END
    | {
        "kind": _one_of("diverged", "out_of_memory", "infrastructure", "bug"),
        "log": _optional(_text),
        "seconds": _optional(_amount),
    },
    "refused": {"kind": _one_of("budget", "config", "repeat"), "reason": _optional(_text)},
}
"""Event of a trial -> what its data must hold."""

EVENTS = OF_SEARCH | OF_TRIAL
ENDS = ("stopped", "completed", "failed", "refused")


def _is_part(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"event", "data"} and isinstance(value["event"], str)


class EventChecker:
    """Checks the events of one log, in their order."""

    def __init__(self) -> None:
        self._is_opened = False
        self._ended: dict[str, bool] = {}
        """Trial -> whether it has ended."""
        self._bugs: set[str] = set()
        """Trials that ended by a bug of ours: the next session starts them again."""
        self._reported: set[tuple[str, int]] = set()

    def check(self, values: Mapping[str, Any]) -> Event:
        """Return the event that a line holds.

        Args:
            values: the line's object, without its schema, number and checksum.

        Raises:
            ValueError: it is no event, lacks something, or is about a trial that it cannot be about.
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
        for trial in (event.data.get("seconds") or {}) if event.event == "closed" else ():
            if trial not in self._ended:
                raise ValueError(f"'closed' counts seconds of {shortened(trial)}, which was never asked for")
        if not self._is_opened and event.event != "opened":
            raise ValueError(f"a search begins with 'opened', not with '{event.event}'")
        self._is_opened = True
        return event

    def _follow(self, event: Event, trial: str) -> None:
        """Check that an event may follow what the trial's earlier events say."""
        ended = self._ended.get(trial)
        if event.event == "asked":
            if ended is not None:
                raise ValueError(f"{shortened(trial)} is asked for a second time")
            self._ended[trial] = False
            return
        if ended is not False:
            what = "was never asked for" if ended is None else "has ended"
            raise ValueError(f"'{event.event}' is of {shortened(trial)}, which {what}")
        if event.event == "started" and not event.attempt:
            raise ValueError("'started' must have an attempt")
        if event.event == "report":
            self._reported.add((trial, event.data["rung"]))
        if event.event == "rung" and (trial, event.data["rung"]) not in self._reported:
            raise ValueError(f"{shortened(trial)} has not reported at rung {event.data['rung']}")
        if event.event in ENDS:
            self._ended[trial] = True
            if event.data.get("kind") == "bug":
                self._bugs.add(trial)


def _event(values: Mapping[str, Any]) -> Event:
    """The event, checked by itself."""
    name, data = values.get("event"), values.get("data")
    if not isinstance(name, str) or name not in EVENTS:
        raise ValueError(unknown("event", name, EVENTS))
    if not _moment(values.get("time")):
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
    """The event itself; of a trial taken over whole, the events that it consists of, each checked by itself."""
    if event.event != "adopted":
        return (event,)
    head = {"time": event.time, "trial": event.trial}
    parts = tuple(_event(head | part) for part in event.data["events"])
    names = [part.event for part in parts]
    if names[0] != "asked" or names[-1] not in ENDS or not set(names[1:-1]) <= {"report"}:
        raise ValueError(f"a trial that is taken over is asked for, reports and ends; got {', '.join(names)}")
    return parts
