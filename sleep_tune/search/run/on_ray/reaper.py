"""A watcher that outlives a search by seconds: when the search's process is gone, however it went, so is its Ray.

Ray's own agents wait a minute for a cluster that was killed. Run as
`python -m sleep_tune.search.run.on_ray.reaper FOLDER` with a pipe from the search as standard input. When the pipe
breaks, the processes of the Ray in FOLDER are ended and FOLDER is removed. A process belongs to that Ray if it was
started with `SLEEP_TUNE_RAY=FOLDER` in its environment,
which all processes inherit that Ray starts, and all that these start: trials, their data loaders, their compilers.
One that only has a file in FOLDER open (a pager, an editor) does not belong to it. Imports no Ray.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

__all__ = ["MEMBERSHIP", "members", "reap", "watched"]

MEMBERSHIP = "SLEEP_TUNE_RAY"
"""Environment variable that names the folder of the Ray that a process belongs to."""

KEEP_ENVIRONMENT = {"SPT_NOENV": "1"}
"""Keeps Ray's agents from writing their titles over the environment that the system shows of them."""

GRACE_SECONDS = 3.0
"""Time for the processes to end by themselves."""

KILL_SECONDS = 10.0
"""Time for killed processes to end. One that hangs in the kernel may not; it is left."""


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Have the processes of the Ray in `folder` ended and `folder` removed, on leaving or when this process dies.

    Ray must be started within, so that its processes inherit the variable by which they are known.
    """
    command = [sys.executable, "-m", "sleep_tune.search.run.on_ray.reaper", str(folder)]
    reaper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    os.environ |= {MEMBERSHIP: str(folder), **KEEP_ENVIRONMENT}
    try:
        yield
    finally:
        os.environ.pop(MEMBERSHIP, None)
        reaper.communicate()


def members(folder: str) -> list[psutil.Process]:
    """Return the live processes that belong to the Ray in `folder`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):  # it has just ended, or is another user's
            if process.environ().get(MEMBERSHIP) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def reap(folder: str) -> None:
    """End the processes of the Ray in `folder`, after a grace, and remove it."""
    kill_from = time.monotonic() + GRACE_SECONDS
    end = kill_from + KILL_SECONDS
    while (left := members(folder)) and time.monotonic() < end:
        for process in left if time.monotonic() >= kill_from else ():
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil compares the start times first: numbers of processes are used again
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    reap(sys.argv[1])
