"""A search of which one process, or all, is stopped for two minutes, as on a laptop that is closed, and continued.

    python -m tests.endurance.stopped FOLDER                         # driver, worker, raylet, everything: 12 minutes
    python -m tests.endurance.stopped FOLDER worker --seconds 20

Each part is stopped with SIGSTOP while a trial trains, and continued with SIGCONT. If the search has ended by then, the
same command is run again, as its message says. It prints whether the trials are those of an undisturbed search, and
whether anything was trained twice or counted as a bug.
"""

import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial

import psutil

from tests.endurance.searches import account, drive, finish_inline, has_reported, parser
from tests.search.run.on_ray.driving import Driver

PARTS = {"driver": "", "worker": "ray::RayTrainWorker", "raylet": "raylet", "everything": ""}
"""What is stopped -> the title of its process."""


def processes(driver: Driver, part: str) -> list[psutil.Process]:
    """Return the processes that are to be stopped."""
    if part == "driver":
        return [psutil.Process(driver.process.pid)]
    if part == "everything":
        driver.look()
        return [psutil.Process(driver.process.pid), *driver.seen.values()]
    return driver.named(PARTS[part])


def stop(driver: Driver, part: str, seconds: float) -> int:
    """Stop a part for a while, and return how many processes it was."""
    chosen = processes(driver, part)
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for process in chosen:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        if number == signal.SIGSTOP:
            time.sleep(seconds)
    return len(chosen)


def main(arguments: Sequence[str]) -> int:
    """Stop each part in its own search, and print what happened."""
    options = parser(__doc__, "parts", PARTS)
    options.add_argument("--seconds", type=float, default=120)
    given = options.parse_args(arguments)
    undisturbed = finish_inline(given.folder / "undisturbed")
    for part in given.parts or PARTS:
        shutil.rmtree(given.folder / part, ignore_errors=True)
        driver = drive(given.folder / part)
        driver.until(partial(has_reported, driver))
        number = stop(driver, part, given.seconds)
        print(f"{part} ({number} processes) stopped for {given.seconds:.0f} s", flush=True)
        began = time.monotonic()
        code = driver.wait()
        print(f"  ended {time.monotonic() - began:.0f} s later with {code}", flush=True)
        if code:
            print("  " + driver.output.read_text().strip().splitlines()[-1])
            driver = drive(given.folder / part)
            driver.wait()
        for line in account(driver, undisturbed):
            print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
