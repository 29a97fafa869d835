"""A search whose worker is killed because memory runs out: by the kernel, in a cgroup.

    python -m tests.endurance.memory FOLDER            # as root, with cgroup v1's memory controller: 5 minutes

`once`: the first worker is put into a cgroup that is too small for it; its successor is not. `always`: every worker
is. At the end: what the user read, what each trial was counted as, and whether the search ended.
"""

import argparse
import contextlib
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from tests.endurance.searches import account, drive, finish_inline
from tests.search.on_ray.driving import Driver

GROUP = Path("/sys/fs/cgroup/memory/sleep-tune-endurance")
LIMIT = 2 * 2**20
"""Bytes that it may take from then on; what it has taken before counts elsewhere."""
WORKER = "ray::RayTrainWorker"
CASES = ("once", "always")


def squeeze(driver: Driver, *, always: bool) -> int:
    """Put workers that train into the small cgroup until the search ends (or only the first), and count them."""
    squeezed: set[int] = set()
    while driver.process.poll() is None and (always or not squeezed):
        begun = driver.count("started") > len(squeezed) and (squeezed or driver.count("report"))
        for worker in driver.named(WORKER) if begun else ():
            if worker.pid not in squeezed:
                with contextlib.suppress(OSError, psutil.NoSuchProcess):
                    (GROUP / "cgroup.procs").write_text(str(worker.pid))
                    squeezed.add(worker.pid)
        time.sleep(0.2)
    return len(squeezed)


def main(arguments: Sequence[str]) -> int:
    """Squeeze each search, and account."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the searches are kept; an undisturbed one there is used again")
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; all of them unless given")
    given = parser.parse_args(arguments)
    undisturbed = finish_inline(given.folder.absolute() / "undisturbed")
    GROUP.mkdir(exist_ok=True)
    (GROUP / "memory.limit_in_bytes").write_text(str(LIMIT))
    try:
        for case in given.cases or CASES:
            shutil.rmtree(given.folder / case, ignore_errors=True)
            driver = drive(given.folder.absolute() / case, *(["resources.max_retries=1"] if case == "always" else []))
            number = squeeze(driver, always=case == "always")
            driver.wait()
            print(f"{case}: {number} workers in a cgroup of {LIMIT >> 20} MiB")
            for line in driver.output.read_text().splitlines():
                if "memory ran out" in line:
                    print(f"  {line}")
            for line in account(driver, undisturbed):
                print(f"  {line}", flush=True)
    finally:
        GROUP.rmdir()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
