import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os, subprocess, sys
from pathlib import Path
from sleep_tune.output_redirection import redirect_output, terminal
with terminal() as ours:
    print("before")
    with redirect_output(Path(sys.argv[1])):
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
        seen = subprocess.run([sys.executable, "-c", SCRIPT, str(log)], capture_output=True, text=True, check=True)
        assert seen.stdout.split("\n") == ["before", "ours", "after", ""]
        assert seen.stderr == ""
    assert sorted(log.read_text().splitlines()) == sorted(["a library", "an error", "C code", "a child"] * 2)


GONE = """
import os, sys
from sleep_tune.output_redirection import terminal
seen = []
with terminal(lambda: seen.append("closed")) as ours:
    sys.stdin.read()
    for number in range(3):
        print(number, file=ours)
print(seen, file=sys.stderr)
"""


def test_a_closed_pipe_is_reported_once(tmp_path: Path) -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", GONE], stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate("")
    assert errors == "['closed']\n"
    assert process.returncode == 0


def test_a_terminal_that_was_closed_takes_everything(tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", GONE], stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(theirs)
        os.close(ours)
        _, errors = process.communicate("")
    assert errors == "[]\n"
    assert process.returncode == 0


REPLACED = """
import contextlib, io, sys
from pathlib import Path
from sleep_tune.output_redirection import redirect_output, terminal
with contextlib.redirect_stdout(io.StringIO()) as shown, contextlib.redirect_stderr(io.StringIO()) as errors:
    with terminal() as ours, redirect_output(Path(sys.argv[1])):
        print("a library")
        print("an error", file=sys.stderr)
        print("ours", file=ours)
    print("after")
assert (shown.getvalue(), errors.getvalue()) == ("ours\\nafter\\n", ""), (shown.getvalue(), errors.getvalue())
"""


def test_streams_that_a_notebook_replaced_are_redirected_and_shown_to(tmp_path: Path) -> None:
    log = tmp_path / "driver.log"
    done = subprocess.run([sys.executable, "-c", REPLACED, str(log)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert log.read_text() == "a library\nan error\n"
