"""A search whose workers are killed because memory runs out: by the kernel, in a cgroup, or by Ray's memory monitor.

    python -m tests.endurance.memory FOLDER            # as root, with cgroup v1's memory controller: 12 minutes
    python -m tests.endurance.memory FOLDER ray-once   # needs no root, but half of the machine's memory for seconds

`once`: the first worker is put into a cgroup that is too small for it; the worker that replaces it is not. `always`:
every worker is. `starts`: every worker is, before it has begun. `ray-once`: memory is taken until Ray has killed the
first worker, and then freed. `ray-always`: it stays taken. `ray-starts`: Ray's limit is below what is in use from the
start. It prints what the user read, how each trial ended, and whether the search ended.
"""

import contextlib
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from sleep_tune.search.run.on_ray.ray_variables import changed_environment
from tests.endurance.searches import account, drive, finish_inline, parser
from tests.search.run.on_ray.driving import Driver

GROUP = Path("/sys/fs/cgroup/memory/sleep-tune-endurance")
LIMIT = 2 * 2**20
"""Bytes that a worker may take once it is in the cgroup; what it took before is not counted there."""
WORKER = "ray::RayTrainWorker"
SHARE = 0.5
"""Share of the machine's memory from which on Ray kills workers, in the cases `ray-once` and `ray-always`."""


def squeeze(driver: Driver, due: Callable[[int], bool]) -> str:
    """Put workers into the small cgroup until the search ends, and count them.

    Args:
        driver: the search.
        due: whether to put one more worker there, given the number of those that are there.
    """
    squeezed: set[int] = set()
    while driver.process.poll() is None:
        for worker in driver.named(WORKER) if due(len(squeezed)) else ():
            if worker.pid not in squeezed:
                with contextlib.suppress(OSError, psutil.NoSuchProcess):
                    (GROUP / "cgroup.procs").write_text(str(worker.pid))
                    squeezed.add(worker.pid)
        time.sleep(0.05)
    return f"{len(squeezed)} workers in a cgroup of {LIMIT >> 20} MiB"


def squeeze_first(driver: Driver) -> str:
    """Squeeze the first worker after its first report."""
    return squeeze(driver, lambda number: number == 0 and driver.count("report") > 0)


def squeeze_all(driver: Driver) -> str:
    """Squeeze every worker: the first after its first report, the others when they have begun."""
    return squeeze(
        driver, lambda number: driver.count("started") > number and (number > 0 or driver.count("report") > 0)
    )


def squeeze_starting(driver: Driver) -> str:
    """Squeeze every worker before it has begun."""
    return squeeze(driver, lambda number: True)


def fill(driver: Driver, until: Callable[[Sequence[psutil.Process]], bool]) -> str:
    """Take memory from the first report on, until the search ends or `until` holds of the workers of that moment."""
    driver.until(lambda: driver.count("report") > 0)
    workers, memory = driver.named(WORKER), psutil.virtual_memory()
    taken = b"x" * max(0, int((SHARE + 0.05) * memory.total) - memory.total + memory.available)
    while driver.process.poll() is None and not until(workers):
        time.sleep(0.05)
    return f"{len(taken) >> 20} MiB taken, to more than {SHARE:.0%} of the machine's memory"


def fill_once(driver: Driver) -> str:
    """Take memory until a worker has ended."""
    return fill(driver, lambda workers: driver.named(WORKER) != workers)


def fill_for_good(driver: Driver) -> str:
    """Take memory until the search ends."""
    return fill(driver, lambda workers: False)


CASES: dict[str, tuple[Callable[[Driver], str], str | None]] = {
    "once": (squeeze_first, None),
    "always": (squeeze_all, None),
    "starts": (squeeze_starting, None),
    "ray-once": (fill_once, str(SHARE)),
    "ray-always": (fill_for_good, str(SHARE)),
    "ray-starts": (lambda driver: "every worker is over Ray's limit", "0.0"),
}
"""What is done to the search, and the share of memory from which on Ray kills (its own choice for None)."""


def main(arguments: Sequence[str]) -> int:
    """Disturb each search, and print what happened."""
    given = parser(__doc__, "cases", CASES).parse_args(arguments)
    folder = given.folder
    undisturbed = finish_inline(folder / "undisturbed")
    for case in given.cases or CASES:
        disturb, share = CASES[case]
        shutil.rmtree(folder / case, ignore_errors=True)
        if share is None:
            GROUP.mkdir(exist_ok=True)
            (GROUP / "memory.limit_in_bytes").write_text(str(LIMIT))
        monitor = {} if share is None else {"RAY_memory_usage_threshold": share, "RAY_memory_monitor_refresh_ms": "100"}
        try:
            with changed_environment(monitor):
                driver = drive(folder / case, *(["resources.max_retries=1"] if "always" in case else []))
            told = disturb(driver)
            driver.wait()
        finally:
            if share is None:
                GROUP.rmdir()
        print(f"{case}: {told}")
        for line in driver.output.read_text().splitlines():
            if "memory ran out" in line or line.startswith(("error", "failed")):
                print(f"  {line}")
        for line in account(driver, undisturbed):
            print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
