import os
import signal
from typing import Any, cast

import pytest

from sleep_tune.search.interrupt import GRACE_SECONDS, Interrupt, Interrupted


class Search:
    """What an interrupt sees of a director."""

    def __init__(self, running: int) -> None:
        self.running = running
        self.held: str | None = None


def test_a_signal_holds_the_search_which_ends_when_its_runs_have_or_the_grace_is_over() -> None:
    now = [100.0]
    search: Any = Search(running=2)
    before = signal.getsignal(signal.SIGTERM)
    with Interrupt(clock=lambda: now[0]) as interrupt:
        assert not interrupt.ends(search)
        assert not search.held
        os.kill(os.getpid(), signal.SIGTERM)
        assert not interrupt.ends(search)
        assert search.held == "interrupted"
        now[0] += GRACE_SECONDS - 1
        assert not interrupt.ends(search)
        now[0] += 1
        assert interrupt.ends(search)
        now[0] -= 1
        search.running = 0
        assert interrupt.ends(search)
    assert signal.getsignal(signal.SIGTERM) is before
    assert Interrupted(cast(int, interrupt.number)).exit_code == 143


def test_a_second_ctrl_c_is_an_exception_and_another_second_signal_nothing() -> None:
    with Interrupt() as interrupt:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.number == signal.SIGHUP
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt() as interrupt:
            os.kill(os.getpid(), signal.SIGHUP)
            assert interrupt.number is None
    finally:
        signal.signal(signal.SIGHUP, before)
