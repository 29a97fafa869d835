"""A process that ends a search's own Ray when the search's process ends, even by kill -9.

Without it, Ray's agents stay for a minute after their cluster was killed. This file, which needs no other file of the
package, runs as `python -P reaper.py FOLDER` with a pipe from the search as standard input. When the pipe closes, it
ends the processes of the Ray in FOLDER and removes FOLDER. A process belongs to that Ray if it has
`SLEEP_TUNE_RAY=FOLDER` in its environment. All processes that Ray starts inherit it, and so do their children: trials,
their data loaders, their compilers. A process that only has a file in FOLDER open (a pager, an editor) does not belong.
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

__all__ = ["MEMBERSHIP", "members", "reap", "reap_on_exit"]

MEMBERSHIP = "SLEEP_TUNE_RAY"
"""Environment variable that names the folder of the Ray that a process belongs to."""

KEEP_ENVIRONMENT = {"SPT_NOENV": "1"}
"""Stops Ray's agents from overwriting, with their titles, the environment that /proc shows."""

GRACE_SECONDS = 3.0
"""Time for processes to end by themselves, before they are killed."""

KILL_SECONDS = 10.0
"""Time for killed processes to end. One that hangs in the kernel (state D) may not end; it is left."""


@contextlib.contextmanager
def reap_on_exit(folder: Path) -> Iterator[None]:
    """End the processes of the Ray in `folder` and remove `folder`, on exit or when this process dies.

    Ray must be started inside the block, so that its processes inherit the variable that marks them.
    """
    command = [sys.executable, "-P", __file__, str(folder)]
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
        with contextlib.suppress(psutil.Error):  # it has just ended, or belongs to another user
            if process.environ().get(MEMBERSHIP) == folder and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def reap(folder: str) -> None:
    """End the processes of the Ray in `folder`, by force after `GRACE_SECONDS`, and remove the folder."""
    kill_from = time.monotonic() + GRACE_SECONDS
    end = kill_from + KILL_SECONDS
    while (left := members(folder)) and time.monotonic() < end:
        for process in left if time.monotonic() >= kill_from else ():
            with contextlib.suppress(psutil.Error):
                process.kill()  # psutil compares start times first, since process ids are reused
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    reap(sys.argv[1])
