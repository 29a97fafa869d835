"""Rows of one pass after another, as many at a time as a batch takes."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sleep_tune.sleep.context import ReplayPass, ReplayRows, join_rows

__all__ = ["RowReader"]


class RowReader:
    """Rows of pass after pass; a pass is made when it is reached.

    Attributes:
        passes: passes that were taken whole.
        cursor: position in the pass after them, as its context counts.
    """

    def __init__(self, begin: Callable[[int], ReplayPass | None]) -> None:
        """Begin before the first pass.

        Args:
            begin: passes before it -> the pass; None if there is no further one.
        """
        self.passes = 0
        self.cursor = 0
        self._begin = begin
        self._current: ReplayPass | None = None

    def draw(self, num_rows: int) -> ReplayRows | None:
        """Return the next `num_rows` rows, >= 1, across passes; fewer if no further pass is there, None if none is."""
        parts: list[ReplayRows] = []
        missing = num_rows
        while missing:
            self._current = self._current or self._begin(self.passes)
            if self._current is None:
                break
            rows, self.cursor = self._current.take(self.cursor, missing)
            missing -= len(rows.input_ids)
            parts.append(replace(rows, replays=np.full(len(rows.input_ids), self.passes, np.int32)))
            if self.cursor >= self._current.end:
                self._current, self.passes, self.cursor = None, self.passes + 1, 0
        return join_rows(parts) if len(parts) > 1 else parts[0] if parts else None

    def seek(self, passes: int, cursor: int) -> None:
        """Move to a position: passes taken whole, and the position in the next."""
        self._current, self.passes, self.cursor = None, passes, cursor
