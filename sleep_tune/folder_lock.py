"""The lock of a folder that one process at a time may write: a run's, an experiment's.

Take it before anything in the folder is made or read. Only the holder may remove anything. The lock's file is removed
only by its holder and only with the folder; whoever has locked a file checks that it is still the one in the folder, so
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
from types import TracebackType
from typing import IO

from sleep_tune.errors import RunFolderError

__all__ = ["LOCK", "FolderLock", "Holder", "read_holder"]

LOCK = ".lock"
"""The file that is locked.

While it is held, its first line says by which process, on which host, since when. Its second is for programs: the
machine and container, the file's own inode (by which a copy of it is known, which nobody holds), and when that process
began by a clock that nobody sets.
"""

CLAIM = ".claim"
"""The same, where the file system has no locks: whoever can make this file holds the folder."""

WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What flock says on a file system that cannot lock, such as some cluster mounts."""

HOLDER = re.compile(r"process (\d{1,9}) on (\S+) \(since (.*)\)")

TRIES, TRY_SECONDS = 200, 0.01
"""How often to try again where a holder is just coming or leaving; after that something else is in the way."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process that holds a folder, as it wrote it there."""

    process: int
    host: str
    since: str
    """When it took the folder, for people: local time with its offset from UTC (earlier versions wrote no offset)."""
    is_here: bool
    """Whether it is on this machine and in this container, where it can be looked for."""
    is_alive: bool
    """True elsewhere, for it cannot be known from here; a holder that ends by itself removes what it wrote."""


def read_holder(file: Path) -> Holder | None:
    """Return the process that a lock's file names; None where it names none, is a copy, or is not there."""
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
    """Holds a folder for this process alone, until it is closed or the process ends, however that ends.

    Args:
        folder: made if absent, with its parents.

    Raises:
        RunFolderError: another process holds the folder; the message names it. Or the folder cannot be written.

    Attributes:
        is_new: whether the folder was empty when it was taken, so that whatever it holds was made under this lock.
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
        """Remove what was made under this lock: files and folders, then each folder that it made and that is empty now.

        Raises nothing: what cannot be removed stays, and the mistake for which it is removed is on its way.

        Args:
            names: of files and folders in the folder, in the order in which they go; those that are not there are none.
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take(self) -> IO[str]:
        """Return the lock's file, open and locked."""
        path = self.folder / LOCK
        for _ in range(TRIES):
            with contextlib.ExitStack() as stack, contextlib.suppress(FileNotFoundError):  # a holder removed the folder
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
        """Remove the folders that this process made; where somebody else has put something, they stay."""
        with contextlib.suppress(OSError):
            for path in self._made:
                path.rmdir()

    def _lock(self, file: IO[str]) -> bool:
        """Lock the folder; False where that is to be tried again."""
        path = Path(file.name)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._refuse(path)
            return False  # its holder has not written its name yet, or is just leaving
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
            return self._make_claim()
        return os.path.samestat(os.fstat(file.fileno()), path.stat())  # else its holder has removed the file meanwhile

    def _make_claim(self) -> bool:
        """Make the file that only one process can make; one of a dead process of this machine is removed first."""
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
        """Remove the claim of a dead process of this machine, and no other that has come in its place meanwhile."""
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
        """Refuse the folder to this process, naming the holder; not while no name is written there."""
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
    """Open a file, but not what a link leads to: in a folder where others may write, a lock would empty any file."""
    try:
        return os.open(path, flags | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RunFolderError(f"{path} must be a file; it is a link: remove it") from None
        raise


def _name(file: IO[str]) -> str:
    """Return what this process writes into a lock's file that it holds."""
    process = os.getpid()
    began, inode = _began(process) or "unknown", os.fstat(file.fileno()).st_ino
    since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
    return f"process {process} on {socket.gethostname()} (since {since})\n{_machine()} {inode} {began}\n"


def _machine() -> str:
    """Return what tells the processes that can be looked for here from all others.

    On Linux the boot and the PID namespace: containers can share a host's name, and one machine can have several names.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}/{Path('/proc/self/ns/pid').readlink()}"
    except OSError:  # not Linux
        return socket.gethostname()


def _lives(process: int, began: str) -> bool:
    """Return whether the process exists and is the one that began then: numbers of processes are used again."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return _began(process) in (began, None)


def _began(process: int) -> str | None:
    """Return when a process began, by a clock that nobody sets; "" if it has ended, None if that cannot be known."""
    with contextlib.suppress(OSError):  # not Linux, or another user's and hidden
        fields = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else fields[19]
    import psutil

    try:
        return str(psutil.Process(process).create_time())
    except psutil.Error:
        return None
