"""A search whose machine has no room in /dev/shm, from the start or from the first report on.

    unshare --mount python -m tests.endurance.shared_memory FOLDER          # Linux, as root; 3 minutes

`small`: there is 1 MiB from the start, `docker`: 64 MiB, as in a container, `filled`: there is room when Ray starts,
and none after the first report. It prints what the user read, and whether the trials are those of an undisturbed
search. Without `unshare` it would change /dev/shm for all processes of the machine.
"""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.endurance.searches import account, drive, finish_inline, has_reported, parser

SHARED = Path("/dev/shm")
MEBIBYTES = {"small": 1, "docker": 64, "filled": 300}
"""Case -> size of /dev/shm in MiB."""


def fill(file: Path) -> int:
    """Write zeros to a file until its disk is full, and return its size in bytes."""
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as zeros:
        while zeros.write(bytes(2**16)):
            pass
    return file.stat().st_size


def main(arguments: Sequence[str]) -> int:
    """Run each search, and print what happened."""
    given = parser(__doc__, "cases", MEBIBYTES).parse_args(arguments)
    folder = given.folder
    undisturbed = finish_inline(folder / "undisturbed")
    for case in given.cases or MEBIBYTES:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEBIBYTES[case]}m", "tmpfs", str(SHARED)], check=True)
        shutil.rmtree(folder / case, ignore_errors=True)
        driver = drive(folder / case)
        print(f"{case}: /dev/shm of {MEBIBYTES[case]} MiB")
        if case == "filled":
            driver.until(partial(has_reported, driver))
            print(f"  {fill(SHARED / 'zeros') / 2**20:.0f} MiB written to it after the first report")
        driver.wait()
        for line in driver.output.read_text().splitlines():
            if "shm" in line or line.startswith(("error", "failed")):
                print(f"  {line}")
        for line in account(driver, undisturbed):
            print(f"  {line}", flush=True)
        subprocess.run(["umount", "--lazy", str(SHARED)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
