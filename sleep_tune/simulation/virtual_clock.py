"""Virtual time: it stands still unless it is set forward, and never goes back. Knows nothing of what happens in it."""

__all__ = ["VirtualClock"]


class VirtualClock:
    """A clock for `Director(clock=...)`: seconds since the search began."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        """The present time, in seconds."""
        return self._now

    def advance(self, to: float) -> None:
        """Set it forward.

        Raises:
            ValueError: `to` is in the past.
        """
        if to < self._now:
            raise ValueError(f"the clock stands at {self._now} s and cannot go back to {to} s")
        self._now = to
