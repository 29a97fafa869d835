"""A search of which one part, or all, stands still for two minutes, as on a laptop that is closed; then it goes on.

    python -m tests.endurance.stopped FOLDER                         # driver, worker, raylet, everything: 12 minutes
    python -m tests.endurance.stopped FOLDER worker --seconds 20

Each part is stopped with SIGSTOP while a trial is trained and continued with SIGCONT. Where the search has ended by
then, the same command is given once more, as its message says. At the end: whether the trials are those of a search
that was not disturbed, and whether anything was trained twice or counted as a bug.
"""

import argparse
import contextlib
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import psutil

from tests.endurance.searches import account, drive, finish_inline, has_reported
from tests.search.run.on_ray.driving import Driver

PARTS = {"driver": "", "worker": "ray::RayTrainWorker", "raylet": "raylet", "everything": ""}
"""What is stopped -> how its process is called."""


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
    """Stop each part in a search of its own, and account."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the searches are kept; an undisturbed one there is used again")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all of them unless given")
    parser.add_argument("--seconds", type=float, default=120)
    given = parser.parse_args(arguments)
    undisturbed = finish_inline(given.folder.absolute() / "undisturbed")
    for part in given.parts or PARTS:
        shutil.rmtree(given.folder / part, ignore_errors=True)
        driver = drive(given.folder.absolute() / part)
        driver.until(partial(has_reported, driver))
        number = stop(driver, part, given.seconds)
        print(f"{part} ({number} processes) stopped for {given.seconds:.0f} s", flush=True)
        began = time.monotonic()
        code = driver.wait()
        print(f"  ended {time.monotonic() - began:.0f} s later with {code}", flush=True)
        if code:
            print("  " + driver.output.read_text().strip().splitlines()[-1])
            driver = drive(given.folder.absolute() / part)
            driver.wait()
        for line in account(driver, undisturbed):
            print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
