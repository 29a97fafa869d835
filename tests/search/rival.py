"""A process that starts a search at each request, at the same time as other such processes.

`python -m tests.search.rival [ERRNO]`; with ERRNO, flock fails with it, as on a file system without locks. Reads lines
of JSON: folder; at (seconds since 1970); seconds that each trial takes; mistake (it warm-starts from a folder that is
not there). Answers each on standard error with a line: what it was refused with, or null.
"""

import fcntl
import json
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

from sleep_tune.errors import UserError
from sleep_tune.search.run.fake_worker import FakeWorker
from tests.search.fake_search import study


def without_locks(file: object, operation: int) -> None:
    """Fail with the given error."""
    raise OSError(int(sys.argv[1]), os.strerror(int(sys.argv[1])))


def answer(message: str | None) -> None:
    """Write a line to the process that started this one."""
    print(json.dumps(message), file=sys.stderr, flush=True)  # noqa: T201


def main() -> None:
    """Answer every line."""
    if len(sys.argv) > 1:
        fcntl.flock = without_locks
    answer("ready")
    for line in sys.stdin:
        request = json.loads(line)
        search = study(Path(request["folder"]), worker=FakeWorker(seconds=request["seconds"]))
        if request["mistake"]:
            search = replace(search, space=replace(search.space, warm_start=("nowhere",)))
        time.sleep(max(0.0, request["at"] - time.time()))
        refused = None
        try:
            search.run(launcher="inline", address=None)
        except UserError as error:
            refused = str(error)
        answer(refused)


if __name__ == "__main__":
    main()
