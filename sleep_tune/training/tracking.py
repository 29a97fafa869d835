"""Trackers: Weights & Biases and TensorBoard are told, line by line, what the journal is told. Off unless asked for.

The journal is the truth and a tracker its reader: a line has the number that it has in metrics.jsonl. A resumed run
tells a tracker what the journal has kept and the tracker lacks, then goes on: nothing is logged twice, or lost with a
worker. A tracker that breaks never breaks the run. Nothing is imported before it is asked for.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.errors import Superseded, UserError
from sleep_tune.experiment.run_folder import METRICS
from sleep_tune.experiment.run_journal import read_journal_lines
from sleep_tune.training.tensorboard import TensorBoard
from sleep_tune.training.weights_and_biases import WeightsAndBiases

__all__ = ["TRACKERS", "Tracked", "Tracker", "check_trackers", "is_unsettled", "settle", "tracked"]

NUMBERS = {
    "train": ("loss", "loss/wake", "loss/sleep", "learning_rate", "cycle", "pass_index", "read_ratio", "seconds"),
    "sleep": ("buffer_size", "candidates", "mean_score", "mean_age"),
}
"""Kind of a line -> what of it is tracked; of an evaluation every metric."""

logger = logging.getLogger(__name__)


class Tracker(Protocol):
    """One run as a tracker sees it."""

    @property
    def begins_at(self) -> int:
        """Number of the first line that it has not been told."""

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Take what line `number` of the journal says."""

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """The attempt is over: completed, stopped, paused, or failed. All that was told is kept."""


Open = Callable[[], Tracker]


@dataclass(frozen=True, slots=True)
class Kind:
    """What there is to know of a tracker before it is opened."""

    wanted: Callable[[TrackingConfig], bool]
    check: Callable[[TrackingConfig], None]
    open: Callable[[RunConfig, Path], Tracker]
    ended: Callable[[Path], str | None]
    """How the run in a folder ended, as the tracker was told it last; None if it was not told to the end."""


TRACKERS: dict[str, Kind] = {
    "wandb": Kind(
        lambda tracking: tracking.wandb != "off", WeightsAndBiases.check, WeightsAndBiases, WeightsAndBiases.ended
    ),
    "tensorboard": Kind(lambda tracking: tracking.tensorboard, TensorBoard.check, TensorBoard, TensorBoard.ended),
}
"""Name -> tracker."""


class Tracked:
    """What the journal calls with each line: passes on what a tracker has not been told.

    A tracker that raises is told no more while the run lasts, and everything anew at its end.
    """

    def __init__(self, trackers: Sequence[Open], journal: Path) -> None:
        """Tell the lines that the journal has kept of earlier attempts.

        Args:
            trackers: what opens each.
            journal: the file of the journal.

        Raises:
            UserError: a tracker is not installed.
        """
        self._journal = journal
        self._open: list[tuple[Open, Tracker]] = []
        self._broken: list[Open] = []
        self._words = 0  # as last told: what a sleep replayed is told without
        self.state = "failed"
        """How the attempt ends, unless it is told otherwise."""
        self.metrics: Mapping[str, float] = {}
        for opener in trackers:
            with self._unharmed(opener):
                self._open.append((opener, opener()))
        if self._open:
            for number, line in enumerate(read_journal_lines(journal)):
                self(number, line)

    def __call__(self, number: int, line: Mapping[str, Any]) -> None:
        """Pass on line `number` (from 0) of the journal."""
        self._words = line.get("words_seen", self._words)
        values = _values(line)
        for opener, tracker in list(self._open):
            if values and number >= tracker.begins_at:
                with self._unharmed(opener):
                    tracker.log(number, self._words, values)

    def finish(self) -> None:
        """Close every tracker with how the attempt ended; one that broke is opened again and told everything."""
        for opener, tracker in list(self._open):
            with self._unharmed(opener):
                tracker.finish(self.state, self.metrics)
        if self._broken and self.state != "paused":  # else the attempt that goes on tells it all
            try:
                again = Tracked(self._broken, self._journal)
            except UserError as error:
                logger.warning("a tracker that broke cannot be opened again: %s", error)
                return
            for opener, tracker in again._open:
                with again._unharmed(opener):
                    tracker.finish(self.state, self.metrics)

    @contextmanager
    def _unharmed(self, opener: Open) -> Iterator[None]:
        """Let no failure of a tracker reach the run."""
        try:
            yield
        except UserError:
            raise
        except Exception:
            logger.warning("a tracker broke; the run goes on without it, and metrics.jsonl has it all", exc_info=True)
            self._open = [(other, tracker) for other, tracker in self._open if other is not opener]
            self._broken.append(opener)


def check_trackers(tracking: TrackingConfig) -> None:
    """Find out before anything is trained whether the trackers that are asked for can be had.

    Raises:
        ConfigError: one is not installed, or does not let runs in.
    """
    for kind in _wanted(tracking):
        kind.check(tracking)


@contextmanager
def tracked(config: RunConfig, *, leads: bool) -> Iterator[Tracked]:
    """Open the trackers that the configuration asks for; finish them however the attempt ends.

    Args:
        config: of the run.
        leads: whether this process speaks for the run; else nothing is tracked.

    Raises:
        UserError: a tracker that is asked for is not installed.
    """
    assert config.run.dir is not None
    folder = Path(config.run.dir)
    told = Tracked([_opener(kind, config, folder) for kind in _wanted(config.tracking) if leads], folder / METRICS)
    try:
        yield told
    except (KeyboardInterrupt, SystemExit, Superseded):
        told.state = "paused"  # it goes on later, or elsewhere
        raise
    finally:
        told.finish()


def settle(config: RunConfig, state: str, metrics: Mapping[str, float]) -> None:
    """Tell the end of a run that has ended to those trackers that have not heard it, since its process was killed.

    Args:
        config: of the run.
        state: completed, stopped or failed.
        metrics: of its end.

    Raises:
        UserError: as `tracked`.
    """
    assert config.run.dir is not None
    folder = Path(config.run.dir)
    due = [_opener(kind, config, folder) for kind in _unsettled(config.tracking, folder, state)]
    if due:
        told = Tracked(due, folder / METRICS)
        told.state, told.metrics = state, metrics
        told.finish()


def is_unsettled(tracking: TrackingConfig, folder: Path, state: str) -> bool:
    """Whether a tracker has not heard that the run in `folder` has ended, and how."""
    return bool(_unsettled(tracking, folder, state))


def _unsettled(tracking: TrackingConfig, folder: Path, state: str) -> list[Kind]:
    if not (folder / METRICS).exists():
        return []
    return [kind for kind in _wanted(tracking) if kind.ended(folder) != state]


def _wanted(tracking: TrackingConfig) -> list[Kind]:
    return [kind for kind in TRACKERS.values() if kind.wanted(tracking)]


def _opener(kind: Kind, config: RunConfig, folder: Path) -> Open:
    return lambda: kind.open(config, folder)


def _values(line: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a line, named as they are in tables; of a sleep, under sleep/."""
    kind = line["kind"]
    numbers: Mapping[str, Any] = line["metrics"] if kind == "eval" else line
    wanted = NUMBERS.get(kind, tuple(numbers))
    prefix = "sleep/" if kind == "sleep" else ""
    return {f"{prefix}{key}": float(numbers[key]) for key in wanted if _is_number(numbers.get(key))}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
