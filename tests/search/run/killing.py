"""A search by `tune.py` in a process of its own that is killed at a chosen moment."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[3]


def kill_when(folder: Path, space: str, is_due: Callable[[], bool]) -> None:
    """Search `folder`/`space` inline until the moment has come, and a little longer, then kill the process."""
    command = [sys.executable, str(ROOT / "tune.py"), space, "--launcher", "inline", "--dir", str(folder)]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 300
    while not is_due():
        assert process.poll() is None, "it ended before it was killed"
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.3)
    process.kill()
    process.wait()
