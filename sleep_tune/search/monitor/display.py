"""The output of a running search: a live screen in a terminal, one plain line per event anywhere else."""

import math
import sys
import time
from collections.abc import Callable

from rich.console import Console
from rich.live import Live

from sleep_tune.console import PlainConsole
from sleep_tune.search.decide.search_view import SearchView
from sleep_tune.search.monitor import wording
from sleep_tune.search.monitor.event_lines import EventLines, heartbeat_line
from sleep_tune.search.monitor.screen import screen

__all__ = ["Display"]

REDRAW_SECONDS = 0.5
"""Least time between two drawings of a live screen."""

HEARTBEAT_SECONDS = 30.0
"""Without any event, plain output has a line this often."""


class Display:
    """Display of a search while it runs; a context manager.

    Args:
        director: the search; it is read only.
        slots: trials that can run at a time.
        console: where to print (default: standard output).
        interactive: a live screen, or plain lines; by default a screen if the console is a terminal.
        clock: seconds; never goes back.
    """

    def __init__(
        self,
        director: SearchView,
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
            # Libraries' output goes to a file; by default rich would redirect it to this console.
            self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._drawn = -math.inf
        self._shown = 0  # trials in the last drawing
        self._printed = clock()
        self._lines = EventLines(director)

    def __enter__(self) -> "Display":
        if self._live is not None:
            self._live.start()
        self.refresh()
        return self

    def __exit__(self, *error: object) -> None:
        self._drawn = -math.inf
        self.refresh()
        if self._live is not None:
            self._live.stop()

    def refresh(self) -> None:
        """Show what has changed.

        May be called at any rate: it draws at most every REDRAW_SECONDS, and at once if there is a new trial, because
        its first report may be far away.
        """
        now = self._clock()
        if self._live is None:
            self._print_lines(now)
        elif now - self._drawn >= REDRAW_SECONDS or len(self._director.trials) > self._shown:
            self._drawn, self._shown = now, len(self._director.trials)
            width, height = self._console.size
            # The cursor stands on the last line; drawing there would make the terminal scroll.
            drawn = screen(self._director, self.slots, width=width, height=height - 1)
            self._live.update(drawn, refresh=True)

    def _print_lines(self, now: float) -> None:
        """Print a line for each new event, or a heartbeat if there has been none for a while."""
        lines = list(self._lines.lines())
        if not lines and now - self._printed >= HEARTBEAT_SECONDS:
            lines = [heartbeat_line(self._director, self.slots)]
        for line in lines:
            self._printed = now
            self._console.out(f"[{wording.clock_time(self._director.seconds())}] {line}", highlight=False)
