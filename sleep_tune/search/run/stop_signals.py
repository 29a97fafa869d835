"""What a signal does to a search: its runs save what they have, and it ends; nothing is lost. Knows no launcher."""

import signal
import time
from collections.abc import Callable

from sleep_tune.interrupts import Interrupts
from sleep_tune.search.decide.director import Director

__all__ = ["GRACE_SECONDS", "SILENT_SECONDS", "Interrupted", "is_over"]

GRACE_SECONDS = 30.0
"""A search that is to end waits so long for its runs to save what they have."""

SILENT_SECONDS, SILENT_UPDATES = 8.0, 3
"""Runs that all have not reported for so long, or for the time of so many updates where that is longer, are evaluating,
compiling or starting: they will not save soon."""


class Interrupted(Exception):
    """The search was stopped by a signal; everything is saved, and the same command resumes it."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def is_over(director: Director, interrupts: Interrupts, clock: Callable[[], float] = time.monotonic) -> bool:
    """Return whether the search is to end now: a signal came, and its runs have saved what they can.

    Until then the director is held, so that nothing starts and runs pause.

    Args:
        director: of the search.
        interrupts: the signals that came.
        clock: the one by which they came, in seconds.
    """
    if interrupts.number is None:
        return False
    director.held = "interrupted"
    since = clock() - interrupts.since
    if not director.running or since >= GRACE_SECONDS:
        return True
    return since >= max(SILENT_SECONDS, SILENT_UPDATES * director.seconds_per_update) and not director.pausing
