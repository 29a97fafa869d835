"""A folder has one holder, who alone removes what it made; also where the file system has no locks."""

import errno
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from sleep_tune import folder_lock
from sleep_tune.errors import RunFolderError
from sleep_tune.folder_lock import CLAIM, LOCK, FolderLock, Holder, read_holder

ROOT = Path(__file__).parents[1]

HOLD = """\
import fcntl, os, pathlib, sys
from sleep_tune.folder_lock import FolderLock
def without_locks(file, operation):
    raise OSError(int(sys.argv[2]), "no locks")
if sys.argv[2] != "0":
    fcntl.flock = without_locks
with FolderLock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""

SYSTEMS = {"locks": 0, "no locks": errno.ENOLCK, "no such call": errno.ENOSYS, "not supported": errno.EOPNOTSUPP}


@pytest.fixture(params=SYSTEMS.values(), ids=list(SYSTEMS))
def failure(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A file system that locks (0), or what flock says on one that does not."""
    number: int = request.param

    def without_locks(file: object, operation: int) -> None:
        raise OSError(number, os.strerror(number))

    if number:
        monkeypatch.setattr(fcntl, "flock", without_locks)
    return number


def test_a_second_process_is_refused_naming_the_first_until_that_is_killed(tmp_path: Path, failure: int) -> None:
    """No file has to be removed by hand after a kill -9."""
    folder = tmp_path / "a" / "b"
    command = [sys.executable, "-c", HOLD, str(folder), str(failure)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        since = r"\(since 20\S+ \S+[+-]\d\d:\d\d\)"
        named = rf"process {holder.pid} on {re.escape(socket.gethostname())} {since} is writing it now"
        with pytest.raises(RunFolderError, match=named):
            FolderLock(folder)
        assert {path.name for path in folder.iterdir()} == {LOCK, CLAIM} - ({CLAIM} if not failure else set())
        holder.kill()
    with FolderLock(folder):
        assert f"process {os.getpid()} on" in (folder / LOCK).read_text()
        with pytest.raises(RunFolderError, match=rf"process {os.getpid()} on"):
            FolderLock(folder)
    assert (folder / LOCK).read_text() == ""
    with FolderLock(folder):
        pass


def test_what_was_made_is_removed_and_nothing_else(tmp_path: Path, failure: int) -> None:
    (tmp_path / "there").mkdir()
    with FolderLock(tmp_path / "there" / "new" / "x") as lock:
        assert lock.is_new
        (lock.folder / "logs").mkdir()
        (lock.folder / "logs" / "log").touch()
        lock.remove(["logs", "none"])
    assert list(tmp_path.rglob("*")) == [tmp_path / "there"]
    (tmp_path / "there" / "theirs").touch()
    with FolderLock(tmp_path / "there") as lock:
        assert not lock.is_new
        lock.remove(["none"])
    assert list(tmp_path.rglob("*")) == [tmp_path / "there", tmp_path / "there" / "theirs"]
    with FolderLock(tmp_path / "a" / "b") as lock:
        (tmp_path / "a" / "theirs").touch()
        lock.remove([])
    assert list((tmp_path / "a").iterdir()) == [tmp_path / "a" / "theirs"]


def test_a_lock_file_that_its_holder_has_removed_meanwhile_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened before it was removed and locked after that, it would be one of two locks of a name."""
    folder, first = tmp_path / "a", FolderLock(tmp_path / "a")
    real: Callable[[Any, int], None] = fcntl.flock
    tried = []

    def late(file: Any, operation: int) -> None:
        tried.append(file)
        if len(tried) == 1:
            first.remove([])
            first.close()
        real(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with FolderLock(folder) as second:
        assert len(tried) == 2
        assert second.is_new
        with pytest.raises(RunFolderError, match="is writing it now"):
            FolderLock(folder)


def test_the_claim_of_another_machine_is_kept_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether its process lives cannot be known from here: the message says what to remove if it does not."""

    def without_locks(file: object, operation: int) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr(fcntl, "flock", without_locks)
    claim = tmp_path / CLAIM
    claim.write_text("process 7 on elsewhere (since 2026-01-01 00:00:00)\n")
    with pytest.raises(RunFolderError, match=rf"process 7 on elsewhere .* remove {re.escape(str(claim))}$"):
        FolderLock(tmp_path)
    claim.unlink()
    FolderLock(tmp_path).close()
    assert not claim.exists()


NAMESPACES = {"a host's other name": ["--uts"], "another container": ["--pid", "--fork", "--mount-proc"]}


def _unshared(options: list[str], folder: Path, failure: int) -> subprocess.Popen[bytes]:
    """A holder of the folder in namespaces of its own; the test is skipped where those cannot be had."""
    unshare = ["unshare", *options]
    if subprocess.run([*unshare, "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to make namespaces")
    renamed = "hostname elsewhere; " if "--uts" in options else ""
    command = f'{renamed}exec "$0" "$@"'
    return subprocess.Popen(
        [*unshare, "sh", "-c", command, sys.executable, "-c", HOLD, str(folder), str(failure)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


@pytest.mark.parametrize("failure", [0, errno.ENOLCK], ids=["locks", "no locks"], indirect=True)
@pytest.mark.parametrize("options", NAMESPACES.values(), ids=list(NAMESPACES))
def test_two_names_of_a_host_and_two_containers_of_a_name_share_a_folder(
    tmp_path: Path, failure: int, options: list[str]
) -> None:
    """By its host's name alone, a holder in a container was looked for here, and its number said that it was dead."""
    folder, is_container = tmp_path / "run", "--pid" in options
    with _unshared(options, folder, failure) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        found = read_holder(folder / (CLAIM if failure else LOCK))
        assert found is not None and found.is_alive and found.is_here is not is_container
        assert found.host == (socket.gethostname() if is_container else "elsewhere")
        with pytest.raises(RunFolderError, match=rf"process {found.process} on {re.escape(found.host)}") as refused:
            FolderLock(folder)
        assert ("another container" in str(refused.value)) is is_container
        assert holder.poll() is None
        for process in psutil.Process(holder.pid).children() or [psutil.Process(holder.pid)]:
            process.kill()
    if failure and is_container:  # from here it cannot be known to be dead
        with pytest.raises(RunFolderError, match=rf"remove {re.escape(str(folder / CLAIM))}$"):
            FolderLock(folder)
    else:
        FolderLock(folder).close()


@pytest.mark.parametrize("failure", [errno.ENOLCK], ids=["no locks"], indirect=True)
def test_a_clock_that_is_set_does_not_bury_a_living_holder(tmp_path: Path, failure: int) -> None:
    """By the wall clock, a process that had begun after it took the lock was another of that number."""
    with FolderLock(tmp_path):
        claim = tmp_path / CLAIM
        text = claim.read_text()
        for year in ("2001", "2999"):
            claim.write_text(re.sub(r"since \d+", f"since {year}", text))
            with pytest.raises(RunFolderError, match=f"since {year}-"):
                FolderLock(tmp_path)
        claim.write_text(re.sub(r"\d+\n$", "7\n", text))  # its number, which another process has by now
        FolderLock(tmp_path).close()


def test_a_zombie_process_holds_no_lock(tmp_path: Path) -> None:
    """In a container whose first process waits for none, it stays in the table of processes."""
    command = [sys.executable, "-c", HOLD, str(tmp_path), str(errno.ENOLCK)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
        holder.kill()
        os.waitid(os.P_PID, holder.pid, os.WEXITED | os.WNOWAIT)
        found = read_holder(tmp_path / CLAIM)
        assert found is not None and found.is_here and not found.is_alive


def test_a_copied_lock_names_no_holder_and_holds_nothing(tmp_path: Path) -> None:
    """A folder that is copied while a search writes it takes the lock's file along."""
    with FolderLock(tmp_path / "a"):
        shutil.copytree(tmp_path / "a", tmp_path / "b")
        held = read_holder(tmp_path / "a" / LOCK)
        assert held is not None and held.process == os.getpid()
        assert (tmp_path / "b" / LOCK).read_text() == (tmp_path / "a" / LOCK).read_text()
        assert read_holder(tmp_path / "b" / LOCK) is None
        FolderLock(tmp_path / "b").close()


@pytest.mark.parametrize("failure", [errno.ENOLCK], ids=["no locks"], indirect=True)
def test_a_copied_claim_is_refused_with_what_to_do(tmp_path: Path, failure: int) -> None:
    """Where files cannot be locked their inodes may not be stable either: no claim is removed on a guess."""
    with FolderLock(tmp_path / "a"):
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    with pytest.raises(RunFolderError, match=rf"is a copy, remove {re.escape(str(tmp_path / 'b' / CLAIM))}$"):
        FolderLock(tmp_path / "b")
    (tmp_path / "b" / CLAIM).unlink()
    FolderLock(tmp_path / "b").close()


@pytest.mark.parametrize("path", ["file", "file/run", "nowhere", "nowhere/run"])
def test_something_else_in_the_way_is_refused(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_lock, "TRY_SECONDS", 0)
    (tmp_path / "file").write_text("")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    with pytest.raises(RunFolderError, match=re.escape(f"{tmp_path / path} must be a folder")):
        FolderLock(tmp_path / path)


def test_a_folder_that_cannot_be_made_leaves_no_half_of_its_path(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="must be a folder that can be written"):
        FolderLock(tmp_path / "a" / "b" / ("n" * 300) / "c")
    assert not list(tmp_path.iterdir())


def test_a_lock_that_is_a_link_is_refused_and_what_it_leads_to_stays(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "run").mkdir()
    for target in (tmp_path / "precious", tmp_path / "not-there"):
        (tmp_path / "run" / LOCK).symlink_to(target)
        with pytest.raises(RunFolderError, match=r"run/\.lock must be a file; it is a link"):
            FolderLock(tmp_path / "run")
        (tmp_path / "run" / LOCK).unlink()
    assert (tmp_path / "precious").read_text() == "precious"
    assert not (tmp_path / "not-there").exists()


@pytest.mark.parametrize("failure", [errno.ENOLCK], ids=["no locks"], indirect=True)
def test_a_claim_that_comes_in_the_place_of_a_dead_one_is_kept(
    tmp_path: Path, failure: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes find the same dead one: the slower must not remove the claim of the faster."""
    claim = tmp_path / CLAIM
    dead = Holder(1, "here", "before", is_here=True, is_alive=False)
    seen: list[Path] = []

    def read_slowly(file: Path) -> Holder | None:
        seen.append(file)
        if len(seen) > 1:
            return read_holder(file)
        claim.rename(tmp_path / "removed")
        claim.write_text(theirs)
        return dead

    theirs = "process 7 on elsewhere (since 2026-01-01 00:00:00)\n"
    claim.write_text("process 1 on here (since before)\n")
    monkeypatch.setattr(folder_lock, "read_holder", read_slowly)
    with pytest.raises(RunFolderError, match=r"process 7 on elsewhere .* is writing it now"):
        FolderLock(tmp_path)
    assert claim.read_text() == theirs
    assert {path.name for path in tmp_path.iterdir()} == {LOCK, CLAIM, "removed"}
