"""Events that lack something, or cannot follow the events before them, are refused."""

from typing import Any

import pytest

from sleep_tune.experiment.event_schema import EVENTS, EventChecker
from sleep_tune.records import Event
from tests.experiment.test_event_log import ASKED, OPENED
from tests.made import make_outcome, make_progress

OUTCOME = make_outcome().to_json()
EXAMPLES: dict[str, dict[str, Any]] = {
    "opened": dict(OPENED.data),
    "resumed": {},
    "changed": {"differences": ["stop.trials: 3 -> 4"], "space": {"name": "x"}},
    "warmed": {"source": "results/old", "adopted": 3, "elsewhere": 0},
    "ended": {"study": "search", "reason": "stop.trials"},
    "returned": {"run": "t1"},
    "look": {"number": 1, "seeds": 5, "arms": {}},
    "closed": {"finished": False},
    "asked": dict(ASKED.data),
    "adopted": {
        "events": [{"event": "asked", "data": dict(ASKED.data)}, {"event": "stopped", "data": {"outcome": OUTCOME}}]
    },
    "started": {"after": None, "gpus": 0.5},
    "paused": {"outcome": OUTCOME},
    "deferred": {"reason": "memory ran out"},
    "report": {"rung": 3, "value": float("nan"), "progress": make_progress(3, 10).to_json()},
    "rung": {"rung": 3, "decision": "stop", "reported": 1, "kept": 1},
    "promoted": {"rung": 3, "reported": 6, "kept": 2},
    "stopped": {"outcome": None},
    "completed": {"value": 2.0, "outcome": OUTCOME},
    "failed": {"kind": "bug"},
    "refused": {"kind": "budget"},
}
"""Event -> the least that it may hold."""
BEFORE = {"rung": ("report",), "promoted": ("report",)}
"""Event -> what must have happened before, besides that the trial was asked for."""


def happen(checker: EventChecker, name: str, data: dict[str, Any], trial: str | None = "t1", **head: Any) -> Event:
    about = {} if trial is None else {"trial": trial, "attempt": 1}
    return checker.check({"event": name, "time": 1.0, "data": data} | about | head)


def opened(*names: str) -> EventChecker:
    checker = EventChecker()
    for name in ("opened", *names):
        happen(checker, name, EXAMPLES[name])
    return checker


def before(name: str) -> EventChecker:
    """A log in which an event of that name may come next."""
    if name == "opened":
        return EventChecker()
    return opened(*([] if name in ("asked", "adopted") else ["asked"]), *BEFORE.get(name, ()))


def test_every_event_has_an_example() -> None:
    assert EXAMPLES.keys() == EVENTS.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_event_holds_all_that_it_must(name: str) -> None:
    happen(before(name), name, EXAMPLES[name])
    for key in EVENTS[name]:
        if key in EXAMPLES[name]:
            for odd in (object(), [], {"x": 1}, -1.5):
                if (key, odd) not in (("value", -1.5), ("parameters", {"x": 1}), ("differences", [])):
                    with pytest.raises(ValueError, match=f"'{key}' of '{name}' cannot be"):
                        happen(before(name), name, EXAMPLES[name] | {key: odd})
        if key in EXAMPLES[name] and key != "outcome":
            less = {other: value for other, value in EXAMPLES[name].items() if other != key}
            with pytest.raises(ValueError, match=f"'{key}' of '{name}' is missing"):
                happen(before(name), name, less)


@pytest.mark.parametrize(
    ("names", "name", "message"),
    [
        ((), "returned", "'returned' names t1, which was never asked for"),
        ((), "started", "'started' is of t1, which was never asked for"),
        (("asked",), "asked", "t1 is asked for a second time"),
        (("asked", "completed"), "report", "'report' is of t1, which has ended"),
        (("asked", "failed"), "started", "which has ended"),
        (("asked",), "rung", "t1 has not reported at rung 3"),
        (("adopted",), "started", "which has ended"),
        (("opened",), "opened", "opened a second time"),
    ],
)
def test_what_cannot_follow_is_refused(names: tuple[str, ...], name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        happen(opened(*names), name, EXAMPLES[name])


def test_a_control_follows_the_run_that_it_is_matched_to() -> None:
    control = EXAMPLES["asked"] | {"matched": "t1"}
    happen(opened("asked"), "asked", control, trial="t2")
    with pytest.raises(ValueError, match="t2 is matched to t1, which was never asked for"):
        happen(opened(), "asked", control, trial="t2")


def test_a_look_is_at_arms_that_have_runs_over_fresh_seeds() -> None:
    evidence = {"decided": "significant", "p": 0.01, "difference": -0.2, "low": -0.3, "high": -0.1, "power": 0.9}
    looks = {"number": 1, "seeds": 5, "arms": {"strict": evidence, "epochs": None}, "reason": None}
    checker = opened()
    for trial, arm in (("t1", "strict"), ("t2", "epochs")):
        happen(checker, "asked", EXAMPLES["asked"] | {"study": ""}, trial=trial, role="arm", arm=arm)
    happen(checker, "look", looks, trial=None)
    with pytest.raises(ValueError, match="'look' names the arm strict"):
        happen(opened("asked"), "look", looks, trial=None)
    for key, odd in {"decided": "maybe", "p": 1.5, "difference": float("nan"), "low": "x", "seeds": 3}.items():
        with pytest.raises(ValueError, match="'arms' of 'look' cannot be"):
            happen(checker, "look", looks | {"arms": {"strict": evidence | {key: odd}}}, trial=None)


def test_a_bugs_trial_may_be_started_again_in_the_next_session() -> None:
    happen(opened("asked", "failed", "resumed"), "started", EXAMPLES["started"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event": "askd"}, "unknown event 'askd'; did you mean 'asked'"),
        ({"event": ["asked"]}, "unknown event"),
        ({"time": float("inf")}, "'time' must be seconds since 1970; got inf"),
        ({"time": 10**12}, "'time'"),
        ({"time": True}, "'time'"),
        ({"data": []}, "'data' must be an object"),
        ({"trial": None}, "must name a trial"),
        ({"trial": 3}, "'trial' cannot be 3"),
        ({"role": "boss"}, "'role' cannot be 'boss'"),
        ({"seed": -1}, "'seed' cannot be -1"),
        ({"seed": 2**63}, "'seed' cannot be"),
        ({"colour": "red"}, "'colour' cannot be 'red'"),
    ],
)
def test_a_head_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    line = {"event": "asked", "time": 1.0, "trial": "t1", "data": EXAMPLES["asked"]} | change
    with pytest.raises(ValueError, match=message):
        opened().check(line)


def test_a_search_begins_with_its_opening() -> None:
    with pytest.raises(ValueError, match="begins with 'opened', not with 'asked'"):
        happen(EventChecker(), "asked", EXAMPLES["asked"])


@pytest.mark.parametrize(
    "names", [("asked",), ("asked", "started"), ("report", "stopped"), ("asked", "rung", "stopped")]
)
def test_a_trial_that_is_taken_over_is_whole(names: tuple[str, ...]) -> None:
    parts = [{"event": name, "data": EXAMPLES[name]} for name in names]
    with pytest.raises(ValueError, match=r"an adopted trial is asked for|'events' of 'adopted'"):
        happen(opened(), "adopted", {"events": parts})


@pytest.mark.parametrize(
    "change", [{"words_seen": -1}, {"seconds": float("nan")}, {"phase": 3}, {"metrics": {"x": "1"}}, {"more": 1}, None]
)
def test_a_report_says_where_the_run_stands(change: dict[str, Any] | None) -> None:
    progress = make_progress(3, 10).to_json()
    progress = {"words_seen": 3} if change is None else progress | change
    with pytest.raises(ValueError, match="'progress' of 'report' cannot be"):
        happen(opened("asked"), "report", EXAMPLES["report"] | {"progress": progress})
