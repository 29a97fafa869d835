"""A signal ends a command within seconds whatever it is doing, in real processes; the seconds are shortened here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sleep_tune.interrupts import Interrupts, catching, current

ROOT = Path(__file__).parents[1]

PROGRAM = """
import hashlib, os, signal, sys, time
from sleep_tune import cli, interrupts
interrupts.NATIVE_SECONDS = interrupts.UNWIND_SECONDS = 0.4
def in_native_code():  # it lets other threads run, and no signal interrupts it
    print("begun", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)
def in_python():
    print("begun", flush=True)
    while True:
        time.sleep(0.01)
def main(arguments):
    caught = interrupts.current()
    caught.farewell = "run it again"
    {body}
    return 0
sys.exit(cli.run(main, []))
"""

SAVES = """
    caught.waits, caught.patience = True, 60
    print("begun", flush=True)
    while caught.number is None:
        time.sleep(0.01)
    time.sleep(1)
    print("saved", flush=True)
    caught.end()
"""

BODIES = {
    "python": "in_python()",
    "native code": "in_native_code()",
    "waits and does not ask": "caught.waits, caught.patience = True, 0.4; in_python()",
    "waits in native code": "caught.waits, caught.patience = True, 0.4; in_native_code()",
    "stops waiting": "caught.waits = True; print('begun', flush=True); time.sleep(0.4); caught.waits = False; exit(1)",
    "swallows the exception": "\n    try: in_python()\n    except BaseException: time.sleep(300)",
    "its output is a file": "os.dup2(os.open(os.devnull, os.O_WRONLY), 2); in_native_code()",
    "another has taken SIGTERM": "signal.signal(15, lambda *_: sys.exit(1)); in_python()",
    "another swallows SIGTERM": "caught.waits, caught.patience = True, 0.4; "
    "signal.signal(15, lambda *_: None); in_python()",
    "taken back": "signal.signal(15, lambda *_: None); caught.install(); in_python()",
    "forked": "os.fork() or os.kill(os.getpid(), signal.SIGTERM); os.wait(); in_python()",
}


@contextmanager
def begun(body: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", PROGRAM.replace("{body}", body)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == "begun\n"
            yield process
        finally:
            process.kill()


def said_at_end(process: "subprocess.Popen[str]") -> str:
    """Its last words, which come soon: minutes mean that it hangs."""
    return process.communicate(timeout=120)[1]


@pytest.mark.parametrize("body", BODIES.values(), ids=list(BODIES))
def test_a_signal_ends_whatever_is_running(body: str) -> None:
    with begun(body) as process:
        time.sleep(0.1)  # until native code has begun
        process.send_signal(signal.SIGTERM)
        assert said_at_end(process).splitlines()[-1] == "stopped by SIGTERM; run it again"
        assert process.returncode == 143


FINALIZER = """
    class Finalized:
        def __del__(self):
            print("begun", flush=True)
            for _ in range(60): time.sleep(0.01)
    interrupts.UNWIND_SECONDS = 60
    Finalized()
    try:
        while True: time.sleep(0.01)
    finally:
        print("unwound", flush=True)
"""


def test_an_exception_that_a_finalizer_swallows_is_raised_again() -> None:
    with begun(FINALIZER) as process:
        process.send_signal(signal.SIGINT)
        output, error = process.communicate(timeout=120)
        assert (output, process.returncode) == ("unwound\n", 130)
        assert error == "stopped by SIGINT; run it again\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_every_signal_has_its_code(number: int, code: int) -> None:
    with begun("in_python()") as process:
        process.send_signal(number)
        assert said_at_end(process) == f"stopped by {signal.Signals(number).name}; run it again\n"
        assert process.returncode == code


@pytest.mark.parametrize("again", [signal.SIGINT, signal.SIGTERM])
def test_what_waits_is_saved_though_a_signal_comes_twice_at_once(again: signal.Signals) -> None:
    """As `timeout` sends it: to the process and to its group. A second SIGTERM changes nothing at any time."""
    with begun(SAVES) as process:
        for pause in (0.05, 0.7 if again is signal.SIGTERM else 0):
            process.send_signal(again)
            time.sleep(pause)
        told, error = process.communicate(timeout=120)
        assert (told, process.returncode) == ("saved\n", 128 + again)
        assert error == f"stopped by {again.name}; run it again\n"


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("what", ["in_python()", "in_native_code()"])
def test_a_second_ctrl_c_ends_at_once(first: signal.Signals, what: str) -> None:
    with begun(f"caught.waits, caught.patience = True, 1e9; {what}") as process:
        process.send_signal(first)
        time.sleep(0.8)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert said_at_end(process) == f"stopped by {first.name}; run it again\n"
        assert process.returncode == 130


def test_everything_is_as_before_on_leaving() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    with catching() as interrupts:
        assert current() is interrupts
        with catching() as again:
            assert again is interrupts
        assert signal.getsignal(signal.SIGTERM) != before[1]
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before
    assert signal.set_wakeup_fd(-1) == -1
    assert current().number is None and not current().waits
    with current().waiting(), Interrupts.waiting(current(), False):  # where nothing is caught, nothing happens
        current().end()


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with catching() as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
            assert interrupts.number is None
    finally:
        signal.signal(signal.SIGHUP, before)


CLOSES = """
    interrupts.UNWIND_SECONDS = 3
    {before}
    try:
        {waits}
    finally:
        time.sleep(0.7)
        print("closed", flush=True)
"""


def test_the_time_to_close_things_begins_when_the_exception_is_raised() -> None:
    """Not when the signal came: a checkpoint may have been written since then, for a minute."""
    waits = "time.sleep(4); caught.end()"
    before = "caught.waits, caught.patience = True, 60; print('begun', flush=True)"
    with begun(CLOSES.format(before=before, waits=waits)) as process:
        process.send_signal(signal.SIGTERM)
        told, error = process.communicate(timeout=120)
        assert (told, process.returncode) == ("closed\n", 143)
        assert error == "stopped by SIGTERM; run it again\n"


@pytest.mark.parametrize(
    "first",
    [
        "with caught.waiting(patience=60): print('begun', flush=True); time.sleep(4)",
        "caught.patience = 60; print('begun', flush=True); time.sleep(4); caught.patience = 3; caught.waits = True",
    ],
)
def test_patience_begins_anew_where_the_next_part_of_the_work_begins(first: str) -> None:
    """What was more patient may have used up all of the next part's time."""
    rest = "time.sleep(0.5); print('saved', flush=True); caught.end()"
    with begun(f"caught.waits, caught.patience = True, 3\n    {first}\n    {rest}") as process:
        process.send_signal(signal.SIGTERM)
        told, error = process.communicate(timeout=120)
        assert (told, process.returncode) == ("saved\n", 143)
        assert error == "stopped by SIGTERM; run it again\n"


def test_a_command_that_ends_before_it_asks_was_not_stopped() -> None:
    ends = "caught.waits, caught.patience = True, 60; print('begun', flush=True); time.sleep(0.5); return 3"
    with begun(ends) as process:
        process.send_signal(signal.SIGTERM)
        assert said_at_end(process) == ""
        assert process.returncode == 3


def test_a_second_sigterm_does_not_disturb_the_closing() -> None:
    with begun(CLOSES.format(before="", waits="in_python()")) as process:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        told, _ = process.communicate(timeout=120)
        assert (told, process.returncode) == ("closed\n", 143)


def test_the_cursor_is_shown_again_where_a_screen_has_hidden_it() -> None:
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", PROGRAM.replace("{body}", BODIES["swallows the exception"])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        assert process.stdout is not None and process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 143
    assert os.read(ours, 1000).startswith(b"\x1b[?25hstopped by SIGTERM")
    os.close(ours)


def test_a_signal_that_waits_is_raised_where_nothing_is_to_be_saved() -> None:
    with catching() as interrupts:
        interrupts.waits, interrupts.patience = True, 60
        with interrupts.waiting(patience=90):
            assert interrupts.patience == 90
        assert (interrupts.waits, interrupts.patience) == (True, 60)
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(SystemExit), interrupts.waiting(False):
            raise AssertionError("the signal had come before")


@pytest.mark.parametrize("is_nohup", [False, True])
def test_a_reader_that_is_gone_ends_a_command_unless_nohup_asks_to_run_on(is_nohup: bool) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if is_nohup else signal.SIG_DFL)
    try:
        with catching() as interrupts:
            interrupts.hang_up()
            assert interrupts.number == (None if is_nohup else signal.SIGPIPE)
    finally:
        signal.signal(signal.SIGHUP, before)


SLOW = """
import time
print("begun", flush=True)
for _ in range(100): time.sleep(0.01)
done = True
"""


def test_a_kernel_is_interrupted_only_after_an_import_has_ended(tmp_path: Path) -> None:
    """A module that was imported in part would stay broken for the next cell."""
    (tmp_path / "slow_module.py").write_text(SLOW)
    code = (
        "import time\nfrom sleep_tune.interrupts import catching\n"
        "try:\n    with catching(exits=False):\n        import slow_module\n        time.sleep(60)\n"
        "except KeyboardInterrupt:\n    print(slow_module.done)"
    )
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=120)[0] == "True\n"
