"""Lock of a folder that only one process at a time may write: the folder of a run or of an experiment.

Take the lock before anything in the folder is made or read. Only the holder may remove files. It removes the lock's
file only together with the folder. After locking a file, a process checks that it is still the one in the folder, so
that two processes never hold two files of one name.
"""

import contextlib
import errno
import fcntl
import os
import re
import shutil
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from sleep_tune.errors import RunFolderError

__all__ = ["LOCK", "FolderLock", "Holder", "read_holder"]

LOCK = ".lock"
"""The file that is locked.

While the lock is held, the first line names the process, its host and the time. The second is for programs: the machine
and container, the file's inode (a copy has another one, and is not held), and the start time of the process, by a clock
that is never set.
"""

CLAIM = ".claim"
"""Replaces the lock on a file system without locks: the process that creates this file holds the folder."""

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""Errors of flock on a file system without locks, such as some cluster mounts."""

HOLDER = re.compile(r"process (\d{1,9}) on (\S+) \(since (.*)\)")

TRIES, TRY_SECONDS = 200, 0.01
"""Number of attempts, and seconds between them, while another process is just taking or releasing the lock."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a folder, from the file that it wrote there."""

    process: int
    host: str
    since: str
    """Local time at which it took the folder, with its offset from UTC (earlier versions wrote no offset)."""
    is_here: bool
    """Whether it is on this machine and in this container, where its process can be checked."""
    is_alive: bool
    """True if it is elsewhere, where its process cannot be checked; a holder that ends normally empties the file."""


def read_holder(file: Path) -> Holder | None:
    """Return the process that a lock's file names; None if it names none, is a copy, or does not exist."""
    try:
        first, _, second = file.read_text(encoding="utf-8", errors="replace").strip().partition("\n")
        inode = str(file.stat().st_ino)
    except OSError:
        return None
    found = HOLDER.fullmatch(first)
    if found is None:
        return None
    process, (machine, *own, began) = int(found[1]), second.split() if " " in second else ("", "")
    is_here = machine == _machine()
    if is_here and own not in ([inode], []):  # earlier versions wrote no inode
        return None
    return Holder(process, found[2], found[3], is_here, not is_here or _lives(process, began))


class FolderLock:
    """Lock of a folder for this process, until it is closed or the process ends in any way.

    Args:
        folder: made if absent, with its parents.

    Raises:
        RunFolderError: another process holds the folder; the message names it. Or the folder cannot be written.

    Attributes:
        is_new: whether the folder was empty when the lock was taken, so that all its content was made under this lock.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made: list[Path] = []
        self._claim: Path | None = None
        try:
            self._file = self._take()
        except OSError as error:
            self._remove_folders()
            raise RunFolderError(f"{folder} must be a folder that can be written ({error.strerror})") from None
        try:
            self.is_new = {path.name for path in folder.iterdir()} <= {LOCK, CLAIM}
        except BaseException:
            self.close()
            raise

    def remove(self, names: Iterable[str]) -> None:
        """Remove files and folders that were made under this lock, then the parent folders it made, if they are empty.

        Raises nothing: it is called while another error is raised. What cannot be removed stays.

        Args:
            names: of files and folders in the folder, in the order in which they are removed; they need not exist.
        """
        for name in names:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    path.unlink()
        for path in (self.folder / LOCK, *([] if self._claim is None else [self._claim])):
            with contextlib.suppress(OSError):
                path.unlink()
        self._remove_folders()

    def close(self) -> None:
        """Release the folder."""
        if not self._file.closed:
            self._file.truncate(0)
            if self._claim is not None:
                self._claim.unlink(missing_ok=True)
            self._file.close()

    def __enter__(self) -> "FolderLock":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _take(self) -> IO[str]:
        """Return the lock's file, open and locked."""
        path = self.folder / LOCK
        for _ in range(TRIES):
            with (
                contextlib.ExitStack() as stack,
                contextlib.suppress(FileNotFoundError),
            ):  # the folder was removed
                self._make_folders()
                file = stack.enter_context(open(path, "a+", encoding="utf-8", opener=_open_no_link))
                if self._lock(file):
                    file.truncate(0)
                    file.write(_name(file))
                    file.flush()
                    stack.pop_all()
                    return file
            time.sleep(TRY_SECONDS)
        raise RunFolderError(f"{self.folder} must be a folder that can be written; it can be neither made nor locked")

    def _make_folders(self) -> None:
        """Make the folder and its parents, and note which of them this process made."""
        for path in reversed([self.folder, *self.folder.parents]):
            with contextlib.suppress(FileExistsError):
                if not path.exists():
                    path.mkdir()
                    self._made.insert(0, path)

    def _remove_folders(self) -> None:
        """Remove the folders that this process made, if they are empty."""
        with contextlib.suppress(OSError):
            for path in self._made:
                path.rmdir()

    def _lock(self, file: IO[str]) -> bool:
        """Lock the folder; return False if the caller must try again."""
        path = Path(file.name)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._refuse(path)
            return False  # its holder has not written its name yet, or is just releasing it
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            return self._make_claim()
        return os.path.samestat(os.fstat(file.fileno()), path.stat())  # else its holder has removed the file

    def _make_claim(self) -> bool:
        """Create the claim, which only one process can; the claim of a dead process of this machine is removed."""
        path = self.folder / CLAIM
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        except FileExistsError:
            self._remove_dead(path)
            return False
        with os.fdopen(descriptor, "w", encoding="utf-8") as claim:
            claim.write(_name(claim))
        self._claim = path
        return True

    def _remove_dead(self, claim: Path) -> None:
        """Remove the claim of a dead process of this machine, but not one that has replaced it meanwhile."""
        before, holder = claim.stat(), read_holder(claim)
        if holder is None or holder.is_alive:
            self._refuse(claim, f"; if that process is gone, or {self.folder} is a copy, remove {claim}")
            return
        aside = claim.with_name(f"{CLAIM}-{os.getpid()}")
        claim.rename(aside)
        if os.path.samestat(before, aside.stat()):
            aside.unlink()
        else:
            aside.rename(claim)

    def _refuse(self, file: Path, remedy: str = "") -> None:
        """Raise an error that names the holder, if its name has been written."""
        text = file.read_text(encoding="utf-8", errors="replace").strip()
        if not text:
            return
        holder = read_holder(file)
        is_namesake = holder is not None and not holder.is_here and holder.host == socket.gethostname()
        where = ", in another container or on another machine of that name," if is_namesake else ""
        raise RunFolderError(
            f"{self.folder} must be written by one process; {text.splitlines()[0]}{where} is writing it now{remedy}"
        )


def _open_no_link(path: str, flags: int) -> int:
    """Open a file, but not through a link: where others may write, it could lead a lock to empty any file."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RunFolderError(f"{path} must be a file; it is a link: remove it") from None
        raise


def _name(file: IO[str]) -> str:
    """Return the text that this process writes into its lock's file."""
    process = os.getpid()
    began, inode = _began(process) or "unknown", os.fstat(file.fileno()).st_ino
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return f"process {process} on {socket.gethostname()} (since {since})\n{_machine()} {inode} {began}\n"


def _machine() -> str:
    """Return the identity of this machine and container, in which processes can be checked.

    On Linux it is the boot and the PID namespace: containers can share a host's name, and a machine can have several.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return socket.gethostname()


def _lives(process: int, began: str) -> bool:
    """Return whether the process exists and began at that time, since the numbers of processes are reused."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return _began(process) in (began, None)


def _began(process: int) -> str | None:
    """Return when a process began, by a clock that is never set; "" if it has ended, None if that is unknown."""
    with contextlib.suppress(OSError):  # not Linux, or another user's and hidden
        fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    import psutil

    try:
        return str(psutil.Process(process).create_time())
    except psutil.Error:
        return None
