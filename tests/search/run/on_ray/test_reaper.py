import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from sleep_tune.search.run.on_ray import reaper
from sleep_tune.search.run.on_ray.reaper import MEMBERSHIP, members, reap

SLEEP = [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(300)"]
FORK = [sys.executable, "-c", "import os, time; os.fork(); print(1, flush=True); time.sleep(300)"]
EXEC = ["sh", "-c", "sleep 300 & echo 1; exec sleep 300"]

SEARCH = """
import os, subprocess, sys, time
from pathlib import Path
from sleep_tune.search.run.on_ray.reaper import MEMBERSHIP, reap_on_exit
folder = Path(sys.argv[1])
with reap_on_exit(folder):
    member = subprocess.Popen(sys.argv[3:], stdout=subprocess.PIPE)
    member.stdout.readline()
    print(member.pid, flush=True)
    time.sleep(float(sys.argv[2]))
assert MEMBERSHIP not in os.environ  # nor does what is started from now on belong to the Ray
print("left", flush=True)
"""


@contextlib.contextmanager
def running(command: list[str], folder: Path | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has begun; of the Ray in `folder`, if one is given."""
    environment = {**os.environ, MEMBERSHIP: str(folder)} if folder else None
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        try:
            if command[0] != "tail":
                assert process.stdout is not None
                process.stdout.readline()
            yield process
        finally:
            process.kill()


def search(folder: Path, seconds: float) -> "subprocess.Popen[str]":
    folder.mkdir()
    (folder / "log").touch()
    command = [sys.executable, "-c", SEARCH, str(folder), str(seconds), *FORK]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def test_a_killed_search_takes_its_ray_along_and_spares_who_reads_its_logs(tmp_path: Path) -> None:
    """A `tail -f` of the user's was killed with it. A process that a member forked is a member."""
    folder = tmp_path / "ray"
    driver = search(folder, 60)
    with running(["tail", "-f", str(folder / "log")]) as reader:
        assert driver.stdout is not None
        member = psutil.Process(int(driver.stdout.readline()))
        forked = member.children()
        assert len(forked) == 1
        driver.kill()
        driver.wait()
        driver.stdout.close()
        end = time.monotonic() + 300
        while folder.exists() and time.monotonic() < end:
            time.sleep(0.05)
        assert not folder.exists()
        assert not members(str(folder))
        for process in (member, *forked):  # a zombie, if no process waits for orphans
            assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        assert reader.poll() is None


def test_what_belongs_to_the_ray_ends_with_the_search_but_not_the_search_itself(tmp_path: Path) -> None:
    driver = search(tmp_path / "ray", 0)
    printed, _ = driver.communicate(timeout=300)
    assert printed.splitlines()[1] == "left"
    assert driver.returncode == 0
    assert not (tmp_path / "ray").exists()


def test_members_are_known_by_their_ray_s_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither by a file that they hold, nor by a name that their command line mentions, nor by a longer folder."""
    monkeypatch.setattr(reaper, "GRACE_SECONDS", 0)
    folder, other = tmp_path / "ray", tmp_path / "ray2"
    folder.mkdir()
    (folder / "log").touch()
    with (
        running(SLEEP, folder) as ours,
        running(EXEC, folder) as shell,
        running(SLEEP, other) as theirs,
        running([*SLEEP, str(folder)]) as named,
        running(["tail", "-f", str(folder / "log")]) as reader,
    ):
        found = {process.pid for process in members(str(folder))}
        assert {ours.pid, shell.pid} < found
        assert len(found) == 3
        reap(str(folder))
        assert (ours.wait(), shell.wait()) == (-9, -9)
        assert [process.poll() for process in (theirs, named, reader)] == [None] * 3
    assert not folder.exists()


def test_one_that_cannot_be_ended_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the kernel's hands (state D), it kept the watcher going for ever."""
    monkeypatch.setattr(reaper, "GRACE_SECONDS", 0)
    monkeypatch.setattr(reaper, "KILL_SECONDS", 0.5)
    monkeypatch.setattr(psutil.Process, "kill", lambda process: None)
    folder = tmp_path / "ray"
    folder.mkdir()
    with running(SLEEP, folder) as process:
        reap(str(folder))
        assert process.poll() is None
    assert not folder.exists()
    assert not members(str(folder))  # nor is one that has ended and is not waited for


def test_what_ends_by_itself_in_time_is_not_killed(tmp_path: Path) -> None:
    folder = tmp_path / "ray"
    folder.mkdir()
    ends = "print(1, flush=True); import pathlib, sys, time; time.sleep(0.3); pathlib.Path(sys.argv[1]).touch()"
    with running([sys.executable, "-c", ends, str(tmp_path / "ended")], folder) as process:
        reap(str(folder))
        assert process.wait() == 0
    assert (tmp_path / "ended").exists()
    assert not folder.exists()


def test_a_ctrl_c_reaches_the_search_and_not_its_watcher(tmp_path: Path) -> None:
    """A terminal sends it to the whole group of processes."""
    driver = search(tmp_path / "ray", 60)
    assert driver.stdout is not None
    driver.stdout.readline()
    os.killpg(driver.pid, signal.SIGINT)
    driver.communicate(timeout=300)
    assert not (tmp_path / "ray").exists()
