"""The log keeps every whole line and only whole lines."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import RunFolderError
from sleep_tune.records import Event
from sleep_tune.search.log import EventLog, read_events

EVENTS = [Event(event="opened", time=1.0), Event(event="asked", time=2.0, trial="t0001", data={"name": "größer"})]


def write(path: Path) -> bytes:
    with EventLog(path) as log:
        for event in EVENTS:
            log.append(event)
    return path.read_bytes()


def test_round_trip(tmp_path: Path) -> None:
    write(tmp_path / "log")
    with EventLog(tmp_path / "log") as log:
        assert list(log.events) == EVENTS


@settings(max_examples=30)
@given(cut=st.integers(0, 300))
def test_a_torn_line_is_cut_off_before_anything_is_appended(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    content = write(path)
    path.write_bytes(content[:cut])
    with EventLog(path) as log:
        whole = list(log.events)
        log.append(EVENTS[0])
    assert whole == EVENTS[: content[:cut].count(b"\n")]
    with EventLog(path) as log:
        assert list(log.events) == [*whole, EVENTS[0]]


@settings(max_examples=30)
@given(cut=st.integers(0, 300))
def test_anyone_may_read_while_it_is_written(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    content = write(path)
    with EventLog(path):
        path.write_bytes(content[:cut])
        assert list(read_events(path)) == EVENTS[: content[:cut].count(b"\n")]
    assert path.read_bytes() == content[:cut]


def test_a_folder_without_a_log(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"must be the folder of a search; got no trials.jsonl in it"):
        read_events(tmp_path / "trials.jsonl")


def test_a_last_line_of_zeros_is_torn_too(tmp_path: Path) -> None:
    """After a power cut a file may have its length, but not its content."""
    content = write(tmp_path / "log")
    (tmp_path / "log").write_bytes(content + b"\0" * 40 + b"\n")
    with EventLog(tmp_path / "log") as log:
        assert list(log.events) == EVENTS
    assert (tmp_path / "log").read_bytes() == content


def test_a_broken_line_before_the_last_is_refused(tmp_path: Path) -> None:
    content = write(tmp_path / "log")
    (tmp_path / "log").write_bytes(b"{}x\n" + content)
    with pytest.raises(RunFolderError, match=r"log:1: expected an event"):
        EventLog(tmp_path / "log")


def test_another_schema_is_refused(tmp_path: Path) -> None:
    line = json.dumps({"schema": 99, "event": "opened", "time": 0.0})
    (tmp_path / "log").write_text(f"{line}\n{line}\n")
    with pytest.raises(RunFolderError, match="schema is 99, this version reads 1"):
        EventLog(tmp_path / "log")
