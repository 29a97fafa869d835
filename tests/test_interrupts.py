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
def test_a_signal_ends_whatever_goes_on(body: str) -> None:
    with begun(body) as process:
        time.sleep(0.1)  # until native code has begun
        process.send_signal(signal.SIGTERM)
        assert said_at_end(process).splitlines()[-1] == "stopped by SIGTERM; run it again"
        assert process.returncode == 143


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
