"""Experiment trackers of a run, Weights & Biases and TensorBoard: they log each line of the journal. Off by default.

A line has the same number in a tracker as in metrics.jsonl. A resumed run first logs the lines of the journal that a
tracker lacks: each line is logged exactly once, even after a crash. An error in a tracker never ends the run. A
tracker's package is imported only where the tracker is configured.
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
from sleep_tune.records import is_number
from sleep_tune.training.tensorboard import TensorBoard
from sleep_tune.training.weights_and_biases import WeightsAndBiases

__all__ = [
    "TRACKERS",
    "Tracker",
    "TrackerGroup",
    "finish_trackers",
    "has_unfinished",
    "require_trackers",
    "tracking_run",
]

NUMBERS = {
    "train": ("loss", "loss/wake", "loss/sleep", "learning_rate", "cycle", "pass_index", "read_ratio", "seconds"),
    "phase": ("learning_rate",),
    "sleep": ("buffer_size", "candidates", "mean_score", "mean_age", "mean_signal"),
}
"""Kind of a line -> fields that are logged; of kind eval, all metrics are."""

logger = logging.getLogger(__name__)


class Tracker(Protocol):
    """One run in a tracker."""

    @property
    def begins_at(self) -> int:
        """Number of the first line that it has not logged."""

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Log line `number` of the journal, from 0, at that many words."""

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """End the attempt as completed, stopped, paused or failed; all logged lines are kept."""


Open = Callable[[], Tracker]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of tracker."""

    is_on: Callable[[TrackingConfig], bool]
    check: Callable[[TrackingConfig], None]
    """Raises ConfigError where the tracker cannot be used."""
    open: Callable[[RunConfig, Path], Tracker]
    """Configuration and folder of a run -> its tracker."""
    final_state: Callable[[Path], str | None]
    """Folder of a run -> the state with which the tracker was finished last; None if it was not."""


TRACKERS: dict[str, Kind] = {
    "wandb": Kind(
        lambda tracking: tracking.wandb != "off", WeightsAndBiases.check, WeightsAndBiases, WeightsAndBiases.final_state
    ),
    "tensorboard": Kind(lambda tracking: tracking.tensorboard, TensorBoard.check, TensorBoard, TensorBoard.final_state),
}
"""Name -> kind of tracker."""


class TrackerGroup:
    """The open trackers of a run, and the journal's listener: logs each line in every tracker that lacks it.

    A tracker that raises is closed until the run ends; then it is opened again and logs all lines.
    """

    def __init__(self, trackers: Sequence[Open], journal: Path) -> None:
        """Open the trackers, and log the lines of earlier attempts that they lack.

        Args:
            trackers: functions that open one tracker each.
            journal: metrics.jsonl.

        Raises:
            UserError: a tracker is not installed.
        """
        self._journal = journal
        self._open: list[tuple[Open, Tracker]] = []
        self._broken: list[Open] = []
        self._words = 0  # of the last line with a number of words: lines of kind sleep have none
        self.state = "failed"
        """How the attempt ends, unless it is set to something else."""
        self.metrics: Mapping[str, float] = {}
        for opener in trackers:
            with self._isolated(opener):
                self._open.append((opener, opener()))
        if self._open:
            for number, line in enumerate(read_journal_lines(journal)):
                self(number, line)

    def __call__(self, number: int, line: Mapping[str, Any]) -> None:
        """Log line `number`, from 0, of the journal."""
        self._words = line.get("words_seen", self._words)
        values = _values(line)
        for opener, tracker in list(self._open):
            if values and number >= tracker.begins_at:
                with self._isolated(opener):
                    tracker.log(number, self._words, values)

    def finish(self) -> None:
        """Finish every tracker with the attempt's state; one that failed is opened again and logs all lines."""
        for opener, tracker in list(self._open):
            with self._isolated(opener):
                tracker.finish(self.state, self.metrics)
        if self._broken and self.state != "paused":  # else the next attempt logs it all
            try:
                again = TrackerGroup(self._broken, self._journal)
            except UserError as error:
                logger.warning("a tracker that failed cannot be opened again: %s", error)
                return
            for opener, tracker in again._open:
                with again._isolated(opener):
                    tracker.finish(self.state, self.metrics)

    @contextmanager
    def _isolated(self, opener: Open) -> Iterator[None]:
        """Log an error of a tracker as a warning and close the tracker; errors of the user are raised."""
        try:
            yield
        except UserError:
            raise
        except Exception:
            logger.warning(
                "a tracker failed; the run continues without it, and metrics.jsonl has every line", exc_info=True
            )
            self._open = [(other, tracker) for other, tracker in self._open if other is not opener]
            self._broken.append(opener)


def require_trackers(tracking: TrackingConfig) -> None:
    """Check, before anything is trained, that the configured trackers can be used.

    Raises:
        ConfigError: one is not installed, or refuses access.
    """
    for kind in _enabled(tracking):
        kind.check(tracking)


@contextmanager
def tracking_run(config: RunConfig, *, is_leader: bool) -> Iterator[TrackerGroup]:
    """Open the configured trackers for a block, and finish them however the attempt ends.

    Args:
        config: of the run.
        is_leader: whether this is the run's leading process; the others track nothing.

    Raises:
        UserError: a configured tracker is not installed.
    """
    assert config.run.dir is not None
    folder = Path(config.run.dir)
    openers = [_opener(kind, config, folder) for kind in _enabled(config.tracking) if is_leader]
    trackers = TrackerGroup(openers, folder / METRICS)
    try:
        yield trackers
    except (KeyboardInterrupt, SystemExit, Superseded):
        trackers.state = "paused"  # it may resume later, or elsewhere
        raise
    finally:
        trackers.finish()


def finish_trackers(config: RunConfig, state: str, metrics: Mapping[str, float]) -> None:
    """Finish the trackers of a run that has ended, if its process was killed before it could do so.

    Args:
        config: of the run.
        state: completed, stopped or failed.
        metrics: at its end.

    Raises:
        UserError: a configured tracker is not installed.
    """
    assert config.run.dir is not None
    folder = Path(config.run.dir)
    due = [_opener(kind, config, folder) for kind in _unfinished(config.tracking, folder, state)]
    if due:
        trackers = TrackerGroup(due, folder / METRICS)
        trackers.state, trackers.metrics = state, metrics
        trackers.finish()


def has_unfinished(tracking: TrackingConfig, folder: Path, state: str) -> bool:
    """Return whether a tracker of the run in `folder` was not finished with this state."""
    return bool(_unfinished(tracking, folder, state))


def _unfinished(tracking: TrackingConfig, folder: Path, state: str) -> list[Kind]:
    if not (folder / METRICS).exists():
        return []
    return [kind for kind in _enabled(tracking) if kind.final_state(folder) != state]


def _enabled(tracking: TrackingConfig) -> list[Kind]:
    return [kind for kind in TRACKERS.values() if kind.is_on(tracking)]


def _opener(kind: Kind, config: RunConfig, folder: Path) -> Open:
    return lambda: kind.open(config, folder)


def _values(line: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a line that are logged; those of a sleep or a phase have the prefix sleep/ or wake/."""
    kind = line["kind"]
    numbers: Mapping[str, Any] = line["metrics"] if kind == "eval" else line
    fields = NUMBERS.get(kind, tuple(numbers))
    prefix = {"sleep": "sleep/", "phase": f"{line.get('phase')}/"}.get(kind, "")
    return {f"{prefix}{key}": float(numbers[key]) for key in fields if _is_finite(numbers.get(key))}


def _is_finite(value: Any) -> bool:
    return is_number(value) and math.isfinite(value)
