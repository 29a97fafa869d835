"""The streams that training takes batches from; all have the attributes and methods of `SleepStream` that it uses."""

from sleep_tune.sleep.matched_stream import MatchedStream
from sleep_tune.sleep.stream import SleepStream

__all__ = ["BatchStream"]

BatchStream = SleepStream | MatchedStream
