"""The event log is read as it was written, or refused with the line that was not."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.event_log import LineWriter, read_events
from sleep_tune.experiment.event_schema import EVENTS, EventChecker
from sleep_tune.records import SCHEMA, Event
from tests.made import make_old, make_outcome, make_progress, write_log

OPENED = Event(event="opened", time=1.0, data={"space": "x", "budget_words": 10, "corpus": {"words": 10, "samples": 2}})
ASKED = Event(
    event="asked",
    time=2.0,
    trial="t0001",
    role="search",
    data={"study": "search", "number": 0, "parameters": {"name": "größer \udcff"}, "group": ""},
)
CLOSED = Event(event="closed", time=3.0, data={"finished": True})
EVENTS_OF_A_LOG = [OPENED, ASKED, CLOSED]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_log(tmp_path / "log", EVENTS_OF_A_LOG)
    return tmp_path / "log"


def test_a_line_has_its_number_and_a_checksum_of_all_before(path: Path) -> None:
    lines = path.read_bytes().splitlines()
    values = [json.loads(line) for line in lines]
    assert [value["number"] for value in values] == [1, 2, 3]
    assert {value["schema"] for value in values} == {SCHEMA} == {2}
    assert len({value["sha256"] for value in values}) == 3
    assert list(read_events(path)) == EVENTS_OF_A_LOG


@pytest.mark.parametrize(
    ("change", "at", "told"),
    [
        (lambda lines: [lines[0], *lines[2:]], 2, "written as line 3"),
        (lambda lines: [*lines[:2], *lines[1:]], 3, "written as line 2"),
        (lambda lines: [lines[0], lines[2], lines[1]], 2, "written as line 3"),
        (lambda lines: lines[1:], 1, "written as line 2"),
        (lambda lines: [lines[0].replace(b"10", b"11", 1), *lines[1:]], 1, "checksum"),
        (lambda lines: [lines[0].replace(b'":10', b'": 10', 1), *lines[1:]], 1, "checksum"),
        (lambda lines: [line.replace(b"\n", b"\r\n") for line in lines], 1, "carriage return"),
        (lambda lines: [b"".join(lines).replace(b"\n", b"\r")], 1, "carriage return"),
        (lambda lines: [*lines[:2], lines[2].replace(b"\n", b"\r\n")], 3, "carriage return"),
        (lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]], 1, "byte-order mark"),
        (lambda lines: [b"".join(lines).decode().encode("utf-16")], 1, "byte-order mark"),
        (lambda lines: [lines[0].decode().encode("utf-16-be").join([b"\xfe\xff", b""])], 1, "byte-order mark"),
        (lambda lines: [*lines[:2], lines[2].replace(b"true", b"True")], 3, "is not JSON"),
        (lambda lines: [*lines, b"\n"], 4, "is empty"),
        (lambda lines: [*lines, b"[]\n"], 4, "not an object"),
        (lambda lines: [*lines, b"[" * 100_000 + b"\n"], 4, "recursion"),
        (lambda lines: [*lines, b'{"schema":1}\n'], 4, "without a checksum"),
        (lambda lines: [b'{"schema":true}\n', *lines], 1, "schema is True"),
        (lambda lines: [lines[0], lines[1].replace(b"t0001", b"t\x00001"), lines[2]], 2, "is not JSON"),
    ],
)
def test_a_line_that_is_not_as_it_was_written_is_refused_with_its_number(
    change: Any, at: int, told: str, path: Path
) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(RunFolderError, match=rf"log:{at} .*{told}") as raised:
        read_events(path)
    assert "\n" not in str(raised.value)


def test_a_line_of_another_log_is_refused(path: Path) -> None:
    """Its number is right, and its checksum is that of another beginning."""
    other = path.with_name("other")
    write_log(other, [Event(event="opened", time=9.0, data=OPENED.data), *EVENTS_OF_A_LOG[1:]])
    ours, theirs = (file.read_bytes().splitlines(keepends=True) for file in (path, other))
    path.write_bytes(b"".join([*ours[:1], *theirs[1:]]))
    with pytest.raises(RunFolderError, match=r"log:2 .*checksum"):
        read_events(path)


@pytest.mark.parametrize("line", ['{"schema":3}', '{"schema":99,"event":"opened","time":0.0,"data":{}}'])
def test_a_newer_version_is_named_and_nothing_is_cut_off(line: str, path: Path) -> None:
    path.write_bytes(content := path.read_bytes() + f"{line}\n".encode())
    with pytest.raises(RunFolderError, match=r"log:4 was written by a newer version .*schema is \d+, .*up to 2"):
        read_events(path)
    assert path.read_bytes() == content


@settings(max_examples=60)
@given(cut=st.integers(0, 900))
def test_only_whole_lines_are_read(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    write_log(path, EVENTS_OF_A_LOG)
    content = path.read_bytes()[:cut]
    path.write_bytes(content)
    assert list(read_events(path)) == EVENTS_OF_A_LOG[: content.count(b"\n")]


@pytest.mark.parametrize("tail", [b"\0" * 40, b"\0" * 40 + b"\n", b'{"schema":2,"ev\0\0\0"}\n', b'{"schema":2,"ev'])
def test_what_a_power_cut_leaves_of_a_last_line_is_no_line(tail: bytes, path: Path) -> None:
    path.write_bytes(path.read_bytes() + tail)
    assert list(read_events(path)) == EVENTS_OF_A_LOG


def test_a_log_of_schema_1_is_read_and_what_follows_covers_it(path: Path) -> None:
    make_old(path)
    old = path.read_bytes()
    assert list(read_events(path)) == EVENTS_OF_A_LOG
    writer = LineWriter()
    for line in old.splitlines():
        writer.take(line)
    new = writer.line(Event(event="resumed", time=4.0))
    assert json.loads(new)["number"] == 4
    path.write_bytes(old + new)
    assert [event.event for event in read_events(path)] == ["opened", "asked", "closed", "resumed"]
    path.write_bytes(old.replace(b"2.0", b"2.5") + new)
    with pytest.raises(RunFolderError, match=r"log:4 .*checksum"):
        read_events(path)


@pytest.mark.parametrize("where", ["none", "log"])
def test_no_log(where: str, path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"must be the folder of a search; got no trials\.jsonl in it"):
        read_events(path.parent / where / "trials.jsonl")
    with pytest.raises(RunFolderError, match="must be a file that can be read"):
        read_events(path.parent)


OUTCOME = make_outcome().to_json()
EXAMPLES: dict[str, dict[str, Any]] = {
    "opened": dict(OPENED.data),
    "resumed": {},
    "changed": {"differences": ["stop.trials: 3 -> 4"], "space": {"name": "x"}},
    "warmed": {"source": "results/old", "adopted": 3, "elsewhere": 0},
    "ended": {"study": "search", "reason": "stop.trials"},
    "closed": {"finished": False},
    "asked": dict(ASKED.data),
    "adopted": {
        "events": [{"event": "asked", "data": dict(ASKED.data)}, {"event": "stopped", "data": {"outcome": OUTCOME}}]
    },
    "started": {"after": None, "gpus": 0.5},
    "paused": {"outcome": OUTCOME},
    "report": {"rung": 3, "value": float("nan"), "progress": make_progress(3, 10).to_json()},
    "rung": {"rung": 3, "decision": "stop", "reported": 1, "kept": 1},
    "stopped": {"outcome": None},
    "completed": {"value": 2.0, "outcome": OUTCOME},
    "failed": {"kind": "bug"},
    "refused": {"kind": "budget"},
}
"""Event -> the least that it may hold."""
BEFORE = {"rung": ("report",)}
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
    ("names", "name", "told"),
    [
        ((), "started", "'started' is of t1, which was never asked for"),
        (("asked",), "asked", "t1 is asked for a second time"),
        (("asked", "completed"), "report", "'report' is of t1, which has ended"),
        (("asked", "failed"), "started", "which has ended"),
        (("asked",), "rung", "t1 has not reported at rung 3"),
        (("adopted",), "started", "which has ended"),
        (("opened",), "opened", "opened a second time"),
    ],
)
def test_what_cannot_follow_is_refused(names: tuple[str, ...], name: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        happen(opened(*names), name, EXAMPLES[name])


def test_a_bugs_trial_may_be_started_again_in_the_next_session() -> None:
    happen(opened("asked", "failed", "resumed"), "started", EXAMPLES["started"])


@pytest.mark.parametrize(
    ("change", "told"),
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
def test_a_head_that_cannot_be_is_refused(change: dict[str, Any], told: str) -> None:
    line = {"event": "asked", "time": 1.0, "trial": "t1", "data": EXAMPLES["asked"]} | change
    with pytest.raises(ValueError, match=told):
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
