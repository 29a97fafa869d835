"""A watcher that outlives a search by seconds: when the search's process is gone, however it went, so is its Ray.

Ray's own agents wait a minute for a cluster that was killed. Run as `python -m sleep_tune.search.on_ray.reaper FOLDER`,
with a pipe from the search as standard input. When the pipe breaks, every process that holds a file in FOLDER open, as
all of that Ray's do for their logs, is ended and FOLDER removed. Imports no Ray.
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

__all__ = ["holders", "reap", "watched"]

GRACE_SECONDS = 3.0
"""Time for the processes to end by themselves."""


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[None]:
    """Have the processes of the Ray in `folder` ended and `folder` removed, on leaving or when this process dies."""
    command = [sys.executable, "-m", "sleep_tune.search.on_ray.reaper", str(folder)]
    reaper = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        reaper.communicate()


def holders(folder: str) -> list[psutil.Process]:
    """The processes that hold a file in `folder` open, apart from this one's parent: the search itself."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getppid() and any(file.path.startswith(f"{folder}/") for file in process.open_files()):
                found.append(process)
    return found


def reap(folder: str) -> None:
    """End the processes that hold `folder`, after a grace, and remove it."""
    end = time.monotonic() + GRACE_SECONDS
    while holders(folder) and time.monotonic() < end:
        time.sleep(0.1)
    while left := holders(folder):
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(0.1)
    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.stdin.read()
    reap(sys.argv[1])
