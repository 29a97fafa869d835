"""Handling of Ctrl-C, SIGTERM and a closed terminal: a command ends within seconds, whatever it is doing.

The first signal raises an exception in the main thread. While the main thread `waits` for a moment at which it can
save, the exception is raised only after its patience has passed. A second Ctrl-C ends the process immediately. Python
runs signal handlers only between two of its own instructions, so a second thread watches, and ends the process if
native code does not return. That loses no more than a kill -9 would: the work since the last checkpoint.

In the process of another program, such as a notebook's kernel (`catching(exits=False)`), nothing ends the process: a
second Ctrl-C raises the exception without waiting for a moment to save. There the exception is not raised while a
module is imported, because modules that were imported in part cannot be used in the next call.
"""

import _thread
import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType

__all__ = ["PATIENCE_SECONDS", "Interrupts", "catching", "current"]

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

PATIENCE_SECONDS = 10.0
"""Seconds that a signal waits for a moment to save, unless the main thread sets more."""

NATIVE_SECONDS = 3.0
"""Seconds that native code may delay the exception."""

UNWIND_SECONDS = 30.0
"""Seconds that the exception may take to end the process, while Ray and experiment trackers are closed."""

DOUBLE_SECONDS = 0.5
"""Seconds within which a second Ctrl-C counts as the first: it is sent to the process and to its group."""

WATCH_SECONDS = 0.1


class Interrupts:
    """The signals that have come. It catches them only as a context manager.

    Args:
        exits: whether a second Ctrl-C, or native code that does not return, ends the process.

    Attributes:
        number: of the first signal; None if there was none.
        since: time at which it came, by `time.monotonic`.
        patience: seconds that a signal waits while `waits`.
        farewell: how to resume the command; the end of `last_line`.
    """

    def __init__(self, *, exits: bool = True) -> None:
        self._exits = exits
        self.number: int | None = None
        self.since = 0.0
        self.patience = PATIENCE_SECONDS
        self.farewell = ""
        self._waits = False
        self._changed = 0.0
        self._raised = False
        self._overdue = False
        self._insists = False
        self._came = threading.Event()

    @property
    def waits(self) -> bool:
        """Whether the main thread checks `number` itself when it can save; else a signal raises at once."""
        return self._waits

    @waits.setter
    def waits(self, waits: bool) -> None:
        self._waits, self._changed = waits, time.monotonic()
        self._raise_if_due()

    @contextlib.contextmanager
    def waiting(self, waits: bool = True, *, patience: float | None = None) -> Iterator[None]:
        """Set `waits` and perhaps `patience` for a block of code; if `waits` is False, raise for an earlier signal."""
        before = self._waits, self.patience
        self.patience = self.patience if patience is None else patience
        self.waits = waits
        try:
            yield
        finally:
            (self._waits, self.patience), self._changed = before, time.monotonic()

    def have_come(self) -> bool:
        """Return whether a signal came; waits a moment, since another library's handler may have received it first."""
        return self._came.wait(WATCH_SECONDS)

    def end(self) -> None:
        """Raise the exception of the first signal, if one has come.

        Raises:
            KeyboardInterrupt: it was SIGINT.
            SystemExit: it was another; the code is 128 + its number, as in a shell.
        """
        if self.number is not None:
            self._raised, self._changed = True, time.monotonic()
            raise KeyboardInterrupt if self.number == signal.SIGINT else SystemExit(128 + self.number)

    def hang_up(self) -> None:
        """Treat a closed terminal or pipe like a signal; not under nohup, where the command should continue."""
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            self._note(signal.SIGPIPE)

    def last_line(self) -> str:
        """Return the last line of a command that a signal ended, for standard error."""
        assert self.number is not None, "only a signal makes a last line"
        return "; ".join(filter(None, (f"stopped by {signal.Signals(self.number).name}", self.farewell)))

    def install(self) -> None:
        """Install the handlers, again after Ray has replaced that of SIGTERM; ignored signals stay ignored."""
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
        self._unraisable, sys.unraisablehook = sys.unraisablehook, self._raise_again
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
        sys.unraisablehook = self._unraisable
        os.write(self._writes, b"\0")
        self._thread.join()
        for descriptor in (self._reads, self._writes, self._terminal):
            os.close(descriptor)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if not self._exits and number == signal.SIGINT and self._is_second():
            self._overdue = self._insists = True
        self._note(number)
        if self._exits or self._insists or not _is_importing(frame):
            self._raise_if_due()

    def _is_second(self) -> bool:
        """Return whether a signal that comes now is another one than the first."""
        return self.number is not None and time.monotonic() - self.since > DOUBLE_SECONDS

    def _note(self, number: int) -> None:
        if self.number is None:
            self.number, self.since = number, time.monotonic()
            self._came.set()

    def _raise_if_due(self) -> None:
        if not self._raised and (self._overdue or not self._waits):
            self.end()

    def _raise_again(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """Have the watching thread raise the exception again if a finalizer or a callback of Python has swallowed it.

        A process that compiles a model spends much of its time in those.
        """
        if self._raised and isinstance(unraisable.exc_value, KeyboardInterrupt | SystemExit):
            self._raised = False
        else:
            self._unraisable(unraisable)

    def _watch(self) -> None:
        """Read the number of every signal as it comes, and end the process if the first takes too long."""
        seen = False
        while True:
            came = os.read(self._reads, 64) if self._ready(WATCH_SECONDS if seen else None) else b""
            for number in came:
                if number == 0:
                    return
                if seen and number == signal.SIGINT and self._is_second():
                    self._end_at_once(number)
                seen = seen or number in SIGNALS
                if seen:
                    self._note(number)
            if seen and self.number is not None:
                self._hurry(self.number)

    def _ready(self, timeout: float | None) -> bool:
        return bool(select.select([self._reads], [], [], timeout)[0])

    def _hurry(self, number: int) -> None:
        if not self._exits:
            late = time.monotonic() - max(self.since, self._changed) - (self.patience if self._waits else 0.0)
            if late > 0 and not self._raised and self is _active:
                self._overdue = True
                _thread.interrupt_main(signal.SIGTERM)  # the handler runs again, until no module is being imported
                time.sleep(WATCH_SECONDS)
            return
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
        if not self._exits:
            return
        show_cursor = "\x1b[?25h" if os.isatty(self._terminal) else ""
        with contextlib.suppress(OSError):  # the terminal is gone
            os.write(self._terminal, f"{show_cursor}{self.last_line()}\n".encode())
        os._exit(128 + number)


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether a frame, or one that called it, is part of an import."""
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib."):
            return True
        frame = frame.f_back
    return False


_active: Interrupts | None = None


def current() -> Interrupts:
    """Return the Interrupts that catch signals now; if there are none, new ones that catch nothing."""
    return Interrupts() if _active is None else _active


@contextlib.contextmanager
def catching(*, exits: bool = True) -> Iterator[Interrupts]:
    """Catch signals, unless they are caught already, or this is not the main thread.

    Args:
        exits: see `Interrupts`.
    """
    if _active is not None or threading.current_thread() is not threading.main_thread():
        yield current()
        return
    with Interrupts(exits=exits) as interrupts:
        yield interrupts


def _forget() -> None:
    """Stop using the pipe in a forked process, since its parent would take the child's signals for its own."""
    if _active is not None:
        signal.set_wakeup_fd(-1)


os.register_at_fork(after_in_child=_forget)
