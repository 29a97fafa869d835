"""The end of a search at a signal: its runs save a checkpoint first, so that nothing is lost."""

import signal
import time
from collections.abc import Callable

from sleep_tune.interrupts import Interrupts
from sleep_tune.search.decide.director import Director

__all__ = ["GRACE_SECONDS", "SILENT_SECONDS", "Interrupted", "should_end"]

GRACE_SECONDS = 30.0
"""How long a search that must end waits for its runs to save."""

SILENT_SECONDS, SILENT_UPDATES = 8.0, 3
"""Seconds or updates after the signal, whichever takes longer: from then on a search waits only for runs that have
been answered with a pause. The others evaluate, compile or start, and will not save soon."""


class Interrupted(Exception):
    """A signal stopped the search. Everything is saved, and the same command resumes it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def should_end(director: Director, interrupts: Interrupts, clock: Callable[[], float] = time.monotonic) -> bool:
    """Return whether the search must end now: a signal came, and its runs have saved, or will not save soon.

    After a signal this function pauses the search, so that no trial starts and running trials pause.

    Args:
        director: of the search.
        interrupts: the signals that came.
        clock: returns seconds on the clock of `interrupts.since`.
    """
    if interrupts.number is None:
        return False
    director.held = "interrupted"
    since = clock() - interrupts.since
    if not director.running or since >= GRACE_SECONDS:
        return True
    return since >= max(SILENT_SECONDS, SILENT_UPDATES * director.seconds_per_update) and not director.pausing
