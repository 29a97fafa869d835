"""Ctrl-C and SIGTERM as a flag that a run sees after its update, so that it can save before it ends."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupts", "caught_interrupts"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """What has been caught.

    Attributes:
        caught: number of the first signal, or None.
    """

    def __init__(self) -> None:
        self.caught: int | None = None

    def end(self) -> None:
        """Do what the signal would have done, if one was caught.

        Raises:
            KeyboardInterrupt: it was SIGINT.
            SystemExit: it was SIGTERM; the code is 128 + its number, as a shell has it.
        """
        if self.caught == signal.SIGINT:
            raise KeyboardInterrupt
        if self.caught is not None:
            raise SystemExit(128 + self.caught)


@contextmanager
def caught_interrupts(wanted: bool) -> Iterator[Interrupts]:
    """Catch the first signal; a second one acts at once.

    Args:
        wanted: False leaves signals alone, as does a thread that is not the main one, which gets none.
    """
    interrupts = Interrupts()
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def catch(number: int, frame: FrameType | None) -> None:
        interrupts.caught = number
        restore()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number in SIGNALS:
        signal.signal(number, catch)
    try:
        yield interrupts
    finally:
        restore()
