"""What a search says while it runs: a live screen in a terminal, one plain line per event anywhere else.

Looks at a director and changes nothing; `refresh` may be called as often as one likes. Knows when to draw; what is
drawn is `screen`'s, what is said is `lines`'.
"""

import math
import sys
import time
from collections.abc import Callable
from types import TracebackType

from rich.console import Console
from rich.live import Live

from sleep_tune.console import PlainConsole
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.event_lines import News, heartbeat
from sleep_tune.search.monitor.forecast import Watched
from sleep_tune.search.monitor.screen import screen

__all__ = ["Display"]

REDRAW_SECONDS = 0.5
"""A live screen is drawn anew no more often."""

HEARTBEAT_SECONDS = 30.0
"""Without any event a plain display says this often that the search is alive."""


class Display:
    """Shows a director's trials; a context manager.

    Args:
        director: what is looked at.
        slots: trials that can run at a time.
        console: where to write (default: standard output).
        interactive: a live screen, or plain lines; by default a screen where the console is a terminal.
        clock: seconds, for pacing; never goes back.
    """

    def __init__(
        self,
        director: Watched,
        slots: int,
        console: Console | None = None,
        interactive: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._director = director
        self.slots = slots
        self._console = console if console is not None else PlainConsole(file=sys.stdout)
        self._clock = clock
        self._live: Live | None = None
        if self._console.is_terminal if interactive is None else interactive:
            # What libraries print is sent to a file; by default rich would bring it back onto this console.
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._drawn = -math.inf
        self._spoke = clock()
        self._news = News(director)

    def __enter__(self) -> "Display":
        if self._live is not None:
            self._live.start()
        self.refresh()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._drawn = -math.inf
        self.refresh()
        if self._live is not None:
            self._live.stop()

    def refresh(self) -> None:
        """Show what has changed; returns at once where nothing is due."""
        now = self._clock()
        if self._live is None:
            self._speak(now)
        elif now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            width, height = self._console.size
            # One line less than there are: on the last one the cursor waits, and the terminal would scroll.
            drawn = screen(self._director, self.slots, width=width, height=height - 1)
            self._live.update(drawn, refresh=True)

    def _speak(self, now: float) -> None:
        """Say in plain lines what has happened since the last time, or that the search is alive."""
        lines = list(self._news.lines())
        if not lines and now - self._spoke >= HEARTBEAT_SECONDS:
            lines = [heartbeat(self._director, self.slots)]
        for line in lines:
            self._spoke = now
            self._console.out(f"[{wording.duration(self._director.seconds())}] {line}", highlight=False)
