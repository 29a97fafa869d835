"""A clock of seconds since 1970 that nobody can set while it runs. Reads the system's clocks; decides nothing."""

import time
from collections.abc import Callable

__all__ = ["steady_clock"]


def steady_clock() -> Callable[[], float]:
    """Return a clock that reads the time of day once, now, and adds the seconds that have passed since.

    It never goes back and never jumps: a wall clock that is corrected by an hour neither ends a search by `stop.hours`
    nor keeps it from ending. Where the system can count them (Linux), the hours of a suspended laptop have passed too.
    """
    began, start = time.time(), _elapsed()
    return lambda: began + _elapsed() - start


def _elapsed() -> float:
    """Seconds since some moment of the past, suspended ones included where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()
