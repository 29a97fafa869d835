"""The event log is read as it was written, or the first wrong line is named; lines are synced, whole or not written."""

import json
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune import records
from sleep_tune.errors import REFUSALS, LimitError, RunFolderError
from sleep_tune.experiment.event_log import EventLog, LineWriter, read_events
from sleep_tune.records import SCHEMA, Event
from tests.made import make_old, write_log

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
    assert {value["schema"] for value in values} == {SCHEMA}
    assert len({value["sha256"] for value in values}) == 3
    assert list(read_events(path)) == EVENTS_OF_A_LOG


@pytest.mark.parametrize(
    ("change", "at", "message"),
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
    change: Any, at: int, message: str, path: Path
) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    with pytest.raises(RunFolderError, match=rf"log:{at} .*{message}") as raised:
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


@pytest.mark.parametrize("line", [f'{{"schema":{SCHEMA + 1}}}', '{"schema":99,"event":"opened","time":0.0,"data":{}}'])
def test_a_newer_version_is_named_and_nothing_is_cut_off(line: str, path: Path) -> None:
    path.write_bytes(content := path.read_bytes() + f"{line}\n".encode())
    with pytest.raises(RunFolderError, match=r"log:4 was written by a newer version .*schema is \d+, .*up to 3"):
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


@pytest.mark.parametrize("tail", [b"\0" * 40, b"\0" * 40 + b"\n", b'{"schema":3,"ev\0\0\0"}\n', b'{"schema":3,"ev'])
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


def test_a_log_of_schema_2_is_read_and_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(records, "SCHEMA", 2)
        write(tmp_path / "log")
    with EventLog(tmp_path / "log") as log:
        assert list(log.events) == EVENTS_OF_A_LOG
        log.append(Event(event="resumed", time=4.0))
    schemas = [json.loads(line)["schema"] for line in (tmp_path / "log").read_bytes().splitlines()]
    assert schemas == [2] * len(EVENTS_OF_A_LOG) + [SCHEMA]
    assert len(read_events(tmp_path / "log")) == len(EVENTS_OF_A_LOG) + 1


@pytest.mark.parametrize("where", ["none", "log"])
def test_no_log(where: str, path: Path) -> None:
    with pytest.raises(RunFolderError, match=r"must be the folder of a search; got no trials\.jsonl in it"):
        read_events(path.parent / where / "trials.jsonl")
    with pytest.raises(RunFolderError, match="must be a file that can be read"):
        read_events(path.parent)


def write(path: Path) -> bytes:
    with EventLog(path) as log:
        for event in EVENTS_OF_A_LOG:
            log.append(event)
    return path.read_bytes()


def test_round_trip(tmp_path: Path) -> None:
    write(tmp_path / "log")
    with EventLog(tmp_path / "log") as log:
        assert list(log.events) == EVENTS_OF_A_LOG


@settings(max_examples=30)
@given(cut=st.integers(0, 900), tail=st.sampled_from([b"", b"\0" * 9, b'{"schema":9\0}\n']))
def test_a_torn_line_is_cut_off_before_anything_is_appended(
    cut: int, tail: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    content = write(path)[:cut]
    path.write_bytes(content + tail)
    whole = EVENTS_OF_A_LOG[: content.count(b"\n")]
    rest = EVENTS_OF_A_LOG[len(whole) :]
    assert list(read_events(path)) == whole
    assert path.read_bytes() == content + tail
    with EventLog(path) as log:
        assert list(log.events) == whole
        assert path.read_bytes() == content + tail
        for event in rest:
            log.append(event)
    assert list(read_events(path)) == EVENTS_OF_A_LOG


def test_on_return_the_disk_has_the_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was in the file, and whose, each time that it was synced."""
    synced: list[tuple[int, bytes]] = []
    sync = os.fsync

    def seen(descriptor: int) -> None:
        sync(descriptor)
        synced.append((os.fstat(descriptor).st_ino, (tmp_path / "log").read_bytes()))

    monkeypatch.setattr(os, "fsync", seen)
    with EventLog(tmp_path / "log") as log:
        assert synced.pop()[0] == tmp_path.stat().st_ino  # its name
        for number, event in enumerate(EVENTS_OF_A_LOG, 1):
            log.append(event)
            ((inode, content),) = synced
            assert inode == (tmp_path / "log").stat().st_ino
            assert content == (tmp_path / "log").read_bytes()
            assert content.count(b"\n") == number
            synced.clear()


@pytest.mark.parametrize("number", REFUSALS)
def test_a_disk_that_takes_no_line_is_one_sentence_and_the_file_keeps_whole_lines(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = EventLog(tmp_path / "log")
    log.append(OPENED)
    before = (tmp_path / "log").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(number, os.strerror(number))))
        with pytest.raises(REFUSALS[number][0], match=r" for .*log;") as raised:
            log.append(ASKED)
    assert (tmp_path / "log").read_bytes() == before
    with pytest.raises(type(raised.value), match=str(raised.value)[:30]):
        log.append(ASKED)  # not even now that it could be
    log.close()
    assert (tmp_path / "log").read_bytes() == before
    with EventLog(tmp_path / "log") as again:
        again.append(ASKED)
    assert list(read_events(tmp_path / "log")) == [OPENED, ASKED]


def test_a_line_written_in_part_is_cut_off(tmp_path: Path) -> None:
    """By a real limit on the size of files: it takes some of the line's bytes, and then no more."""
    with EventLog(tmp_path / "log") as log:
        log.append(OPENED)
        before = (tmp_path / "log").read_bytes()
        limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
        try:
            with pytest.raises(LimitError, match="larger files must be allowed"):
                log.append(ASKED)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        assert (tmp_path / "log").read_bytes() == before


def replace_by_copy(path: Path) -> None:
    """As an editor does, and a program that synchronises folders."""
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    copy.replace(path)


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.rename(path.with_name("moved")), replace_by_copy])
def test_a_log_that_is_taken_away_while_its_search_runs_is_missed(
    change: Callable[[Path], Any], tmp_path: Path
) -> None:
    """What is written into a file without a name is lost, and the search would have gone on for days."""
    with EventLog(tmp_path / "log") as log:
        log.append(OPENED)
        change(tmp_path / "log")
        for _ in range(2):
            with pytest.raises(RunFolderError, match=r"log must, .* moved or removed"):
                log.append(ASKED)


def test_any_other_error_is_ours(tmp_path: Path) -> None:
    with EventLog(tmp_path / "log") as log:
        log._file.close()
        with pytest.raises(ValueError, match="closed file"):
            log.append(OPENED)


def test_a_damaged_log_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    content = write(tmp_path / "log").replace(b"t0001", b"t0002") + b'{"torn'
    (tmp_path / "log").write_bytes(content)
    with pytest.raises(RunFolderError, match=r"log:2 .*checksum"):
        EventLog(tmp_path / "log")
    assert (tmp_path / "log").read_bytes() == content


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    with pytest.raises(RunFolderError, match="log must be a file that can be written"):
        EventLog(tmp_path / "log")


def test_a_log_that_somebody_else_writes_while_its_search_runs_is_noticed(tmp_path: Path) -> None:
    """Two searches that both hold the folder, as they believe: two lines of one number make a log unreadable."""
    with EventLog(tmp_path / "log") as first, EventLog(tmp_path / "log") as second:
        first.append(OPENED)
        before = (tmp_path / "log").read_bytes()
        for _ in range(2):
            with pytest.raises(RunFolderError, match=r"log must, .* another process has changed it"):
                second.append(OPENED)
        assert (tmp_path / "log").read_bytes() == before
        first.append(ASKED)
    assert list(read_events(tmp_path / "log")) == [OPENED, ASKED]
