import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from sleep_tune.search.printing import printing_to, terminal
with terminal() as ours:
    print("before")
    with printing_to(Path(sys.argv[1])):
        print("a library")
        print("an error", file=sys.stderr)
        os.write(1, b"C code\\n")
        subprocess.run(["echo", "a child"], check=True)
        print("ours", file=ours)
    print("after")
"""


def test_everything_but_our_terminal_goes_to_the_file(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "driver.log"
    for _ in range(2):  # what was there is kept
        told = subprocess.run([sys.executable, "-c", SCRIPT, str(log)], capture_output=True, text=True, check=True)
        assert told.stdout.split("\n") == ["before", "ours", "after", ""]
        assert told.stderr == ""
    assert sorted(log.read_text().splitlines()) == sorted(["a library", "an error", "C code", "a child"] * 2)
