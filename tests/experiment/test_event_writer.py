"""The log is written a whole line at a time, on the disk before anybody goes on, and not at all after a failure."""

import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sleep_tune.errors import REFUSALS, LimitError, RunFolderError
from sleep_tune.experiment.event_log import EventLog, read_events
from tests.experiment.test_event_log import ASKED, EVENTS_OF_A_LOG, OPENED


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
