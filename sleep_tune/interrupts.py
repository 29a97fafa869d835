"""Ctrl-C, SIGTERM and a closed terminal: a command ends within seconds, whatever it is doing.

The first signal raises an exception in the main thread: at once, or, while the main thread `waits` for a moment at
which it can save, if that takes longer than its patience. A second Ctrl-C ends the process on the spot. Python runs the
handler of a signal only between two of its own instructions, so a thread watches from beside and ends the process where
native code runs on. Nothing is lost then that a kill -9 would not lose: the work since the last checkpoint.
"""

import _thread
import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

__all__ = ["PATIENCE_SECONDS", "Interrupts", "catching", "current"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PATIENCE_SECONDS = 10.0
"""How long a signal waits for a moment to save, unless the main thread needs longer."""

NATIVE_SECONDS = 3.0
"""How long native code may keep an exception waiting."""

UNWIND_SECONDS = 30.0
"""How long the exception may take to end the process: a Ray and experiment trackers are closed on its way."""

DOUBLE_SECONDS = 0.5
"""A second Ctrl-C that comes sooner is the first one, sent twice: to the process and to its group."""

WATCH_SECONDS = 0.1


class Interrupts:
    """What signals have asked for. One that is not entered catches nothing.

    Attributes:
        number: of the first signal; None if there was none.
        since: when it came, by `time.monotonic`.
        patience: seconds that a signal waits while `waits`.
        farewell: how to resume the command; it ends `last_line`.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.since = 0.0
        self.patience = PATIENCE_SECONDS
        self.farewell = ""
        self._waits = False
        self._changed = 0.0
        self._raised = False
        self._overdue = False
        self._came = threading.Event()

    @property
    def waits(self) -> bool:
        """Whether the main thread asks for `number` itself, when it can save; else a signal is raised at once."""
        return self._waits

    @waits.setter
    def waits(self, waits: bool) -> None:
        self._waits, self._changed = waits, time.monotonic()
        self._raise_if_due()

    @contextlib.contextmanager
    def waiting(self, waits: bool = True, *, patience: float | None = None) -> Iterator[None]:
        """Set `waits` (and `patience`, if given) for a block of code; without `waits`, raise what has come before."""
        before = self._waits, self.patience
        self.patience = self.patience if patience is None else patience
        self.waits = waits
        try:
            yield
        finally:
            (self._waits, self.patience), self._changed = before, time.monotonic()

    def have_come(self) -> bool:
        """Return whether a signal came; where its handler was another's, that is known a moment later."""
        return self._came.wait(WATCH_SECONDS)

    def end(self) -> None:
        """Raise what a signal has asked for, if one has come.

        Raises:
            KeyboardInterrupt: it was SIGINT.
            SystemExit: it was another; the code is 128 + its number, as a shell has it.
        """
        if self.number is not None:
            self._raised, self._changed = True, time.monotonic()
            raise KeyboardInterrupt if self.number == signal.SIGINT else SystemExit(128 + self.number)

    def hang_up(self) -> None:
        """Note that nobody reads what the command prints, as if by a signal; not under nohup, which asks to run on."""
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._note(signal.SIGPIPE)

    def last_line(self) -> str:
        """Return what a command says on standard error when a signal has ended it."""
        assert self.number is not None, "only a signal makes a last line"
        return "; ".join(filter(None, (f"stopped by {signal.Signals(self.number).name}", self.farewell)))

    def install(self) -> None:
        """Take the signals (again: Ray takes SIGTERM for itself when it starts), except those that are ignored."""
        if self is _active:
            for number in SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup sets SIGHUP
                    signal.signal(number, self._handle)

    def __enter__(self) -> "Interrupts":
        global _active
        self._before = {number: signal.getsignal(number) for number in SIGNALS}
        self._terminal = os.dup(2)  # standard error may be redirected later
        self._reads, self._writes = os.pipe()
        os.set_blocking(self._writes, False)
        self._woken = signal.set_wakeup_fd(self._writes, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, name="interrupts", daemon=True)
        self._thread.start()
        _active = self
        self.install()
        return self

    def __exit__(self, *error: object) -> None:
        global _active
        _active = None
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._woken)
        os.write(self._writes, b"\0")
        self._thread.join()
        for descriptor in (self._reads, self._writes, self._terminal):
            os.close(descriptor)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._note(number)
        self._raise_if_due()

    def _note(self, number: int) -> None:
        if self.number is None:
            self.number, self.since = number, time.monotonic()
            self._came.set()

    def _raise_if_due(self) -> None:
        if not self._raised and (self._overdue or not self._waits):
            self.end()

    def _watch(self) -> None:
        """Read the number of every signal as it comes, and see to it that the first is obeyed in time."""
        seen = False
        while True:
            came = os.read(self._reads, 64) if self._ready(WATCH_SECONDS if seen else None) else b""
            for number in came:
                if number == 0:
                    return
                if seen and number == signal.SIGINT and time.monotonic() - self.since > DOUBLE_SECONDS:
                    self._end_at_once(number)
                seen = seen or number in SIGNALS
                if seen:
                    self._note(number)
            if seen and self.number is not None:
                self._hurry(self.number)

    def _ready(self, timeout: float | None) -> bool:
        return bool(select.select([self._reads], [], [], timeout)[0])

    def _hurry(self, number: int) -> None:
        late = time.monotonic() - max(self.since, self._changed)
        if self._raised:
            late -= UNWIND_SECONDS
        elif self._waits:
            late -= self.patience
        else:
            late -= NATIVE_SECONDS
        if late > 0 and not self._overdue and not self._raised:
            self._overdue = True
            _thread.interrupt_main(signal.SIGTERM)  # the handler runs once more
        elif late > (0 if self._raised else NATIVE_SECONDS):
            self._end_at_once(number)

    def _end_at_once(self, number: int) -> None:
        show_cursor = "\x1b[?25h" if os.isatty(self._terminal) else ""
        with contextlib.suppress(OSError):  # the terminal is gone
            os.write(self._terminal, f"{show_cursor}{self.last_line()}\n".encode())
        os._exit(128 + number)


_active: Interrupts | None = None


def current() -> Interrupts:
    """Return what catches signals now; without any, one that catches nothing."""
    return Interrupts() if _active is None else _active


@contextlib.contextmanager
def catching() -> Iterator[Interrupts]:
    """Catch signals, unless they are caught already; in a thread that is not the main one nothing is caught."""
    if _active is not None or threading.current_thread() is not threading.main_thread():
        yield current()
        return
    with Interrupts() as interrupts:
        yield interrupts


def _forget() -> None:
    """In a forked process: leave the pipe to its parent, who would take the child's signals for its own."""
    if _active is not None:
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_forget)
