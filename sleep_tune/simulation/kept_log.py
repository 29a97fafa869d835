"""A log that keeps its events in a list instead of a file, for simulations. Nothing is written."""

from sleep_tune.records import Event

__all__ = ["KeptLog"]


class KeptLog:
    """A log of one simulated search.

    Args:
        events: what happened before it was opened.
    """

    def __init__(self, events: tuple[Event, ...] = ()) -> None:
        self.events = events
        self.kept = list(events)
        """All events so far."""

    def append(self, event: Event) -> None:
        """Keep one event."""
        self.kept.append(event)

    def close(self) -> None:
        """Nothing is held."""
