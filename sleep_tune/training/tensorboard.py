"""Tracking in TensorBoard: event files in tensorboard/ of the run's folder."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.errors import ConfigError
from sleep_tune.files import read_json_object, write_whole

__all__ = ["TensorBoard"]

NOTE = "told.json"
"""File beside the event files of a run that was finished: how it ended."""


class TensorBoard:
    """One attempt's event files, which replace those of earlier attempts: all lines of the journal are logged again.

    (TensorBoard's own `purge_step` would lose the line of the checkpoint's step.)
    """

    begins_at = 0

    def __init__(self, config: RunConfig, folder: Path) -> None:
        """Open the files.

        Args:
            config: of the run.
            folder: of the run.

        Raises:
            ConfigError: the package is not installed.
        """
        self._place = folder / "tensorboard"
        shutil.rmtree(self._place, ignore_errors=True)
        self._writer = _writer_class()(str(self._place), purge_step=0)

    def log(self, number: int, words_seen: int, values: Mapping[str, float]) -> None:
        """Log line `number` of the journal, from 0."""
        for key, value in values.items():
            self._writer.add_scalar(key, value, words_seen)
        self._writer.flush()

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """End the attempt as completed, stopped, paused or failed."""
        self._writer.close()
        write_whole(self._place / NOTE, json.dumps({"state": state}))

    @staticmethod
    def check(tracking: TrackingConfig) -> None:
        """Check, before anything is trained, that runs can be tracked.

        Raises:
            ConfigError: the package is not installed.
        """
        _writer_class()

    @staticmethod
    def final_state(folder: Path) -> str | None:
        """Return the state with which the run in `folder` was finished last; None if it was not."""
        note = read_json_object(folder / "tensorboard" / NOTE) or {}
        return str(note["state"]) if "state" in note else None


def _writer_class() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            f"tracking.tensorboard needs the package tensorboard (pip install tensorboard): {error}"
        ) from error
    return SummaryWriter
