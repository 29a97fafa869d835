"""What a signal does to a search: its runs save what they have, and it ends; nothing is lost. Knows no launcher."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType

from sleep_tune.search.director import Director

__all__ = ["GRACE_SECONDS", "Interrupt", "Interrupted"]

GRACE_SECONDS = 30.0
"""A search that was told to stop waits so long for its runs to save what they have."""


class Interrupted(Exception):
    """The search was told to stop by a signal; everything is saved, and the same command goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


@dataclass
class Interrupt:
    """Ctrl-C, SIGTERM and a closed terminal as a flag, so that the search ends between two events, not within one.

    A second Ctrl-C raises KeyboardInterrupt at once.

    Args:
        clock: seconds; never goes back.
    """

    clock: Callable[[], float] = time.monotonic

    number: int | None = None
    """The signal that came, if one did."""
    since: float = 0.0
    """When it came."""
    _before: dict[int, object] = field(default_factory=dict)

    def __enter__(self) -> "Interrupt":
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets SIGHUP
                self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def ends(self, director: Director) -> bool:
        """Whether the search is to end now: its runs have saved what they have, or were given time enough to.

        Until then the director is held, so that nothing starts and runs pause.
        """
        if self.number is None:
            return False
        director.held = "interrupted"
        return not director.running or self.clock() - self.since >= GRACE_SECONDS

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.number is None:
            self.number, self.since = number, self.clock()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt
