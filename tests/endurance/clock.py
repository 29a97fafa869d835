"""A search during which the clock of all its processes is set forward, or back, by an hour.

    python -m tests.endurance.clock FOLDER             # needs gcc; forwards only (clock.txt says why): end it then
    python -m tests.endurance.clock FOLDER --launcher inline

`clock.c` is loaded into the driver, into Ray's processes and into the workers. The search has a limit of half an hour
(`stop.hours`), which a jump of an hour must not use up. It prints whether the trials are those of an undisturbed
search, whether the events of the log are in order, and what --status showed after the jump.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tests.endurance.searches import TUNE, account, drive, finish_inline, has_reported, parser, read_log

SOURCE = Path(__file__).with_name("clock.c")
HOUR = 3600


def main(arguments: Sequence[str]) -> int:
    """Set the clock during two searches, and print what happened."""
    options = parser(__doc__)
    options.add_argument("--launcher", choices=["ray", "inline"], default="ray")
    given = options.parse_args(arguments)
    folder = given.folder
    undisturbed = finish_inline(folder / "undisturbed")
    library, clock = folder / "clock.so", folder / "clock"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    for seconds in (HOUR, -HOUR):
        clock.write_text("0")
        os.environ |= {"LD_PRELOAD": str(library), "SET_CLOCK": str(clock)}
        shutil.rmtree(folder / f"{seconds:+}", ignore_errors=True)
        driver = drive(folder / f"{seconds:+}", "stop.hours=0.5", launcher=given.launcher)
        driver.until(partial(has_reported, driver))
        clock.write_text(str(seconds))
        status = [sys.executable, str(TUNE), str(driver.folder), "--status"]
        screen = subprocess.run(status, capture_output=True, text=True, check=True).stdout
        del os.environ["LD_PRELOAD"], os.environ["SET_CLOCK"]
        driver.wait()
        print(f"clock set by {seconds:+} s")
        print(f"  --status: {' / '.join(line.strip() for line in screen.splitlines()[:2])}")
        for line in account(driver, undisturbed):
            print(f"  {line}", flush=True)
        events = read_log(driver)
        times = [event["time"] for event in events]
        over = next(event["data"]["reason"] for event in events if event["event"] == "ended")
        print(f"  events {'in' if times == sorted(times) else 'OUT OF'} order; no more trials because of {over}")
        print(f"  {[line for line in driver.output.read_text().splitlines() if line.startswith('[0:')][-1]}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
