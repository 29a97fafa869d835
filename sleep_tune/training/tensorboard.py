"""TensorBoard: event files in tensorboard/ of a run's folder, made from the journal's lines.

Knows no journal: it is told line by line, from the first on. `tensorboard` is imported when it is asked for.
"""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig, TrackingConfig
from sleep_tune.errors import ConfigError
from sleep_tune.files import write_whole

__all__ = ["TensorBoard"]

NOTE = "told.json"
"""Beside the event files of a run that was told to its end: how that was."""


class TensorBoard:
    """One attempt's event files, which replace those of earlier ones: the journal's lines are all told again.

    (TensorBoard's own way, to purge from the checkpoint's step on, loses the line of that very step.)
    """

    begins_at = 0

    def __init__(self, config: RunConfig, folder: Path) -> None:
        """Open them.

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
        """Take what line `number` of the journal says."""
        for key, value in values.items():
            self._writer.add_scalar(key, value, words_seen)
        self._writer.flush()

    def finish(self, state: str, metrics: Mapping[str, float]) -> None:
        """The attempt is over: completed, stopped, paused, or failed."""
        self._writer.close()
        write_whole(self._place / NOTE, json.dumps({"state": state}))

    @staticmethod
    def check(tracking: TrackingConfig) -> None:
        """Find out before anything is trained whether runs can be tracked.

        Raises:
            ConfigError: the package is not installed.
        """
        _writer_class()

    @staticmethod
    def ended(folder: Path) -> str | None:
        """How the run in `folder` ended as last told; None if it was not told to the end."""
        with suppress(OSError, ValueError, TypeError, KeyError):
            return str(json.loads((folder / "tensorboard" / NOTE).read_text(encoding="utf-8"))["state"])
        return None


def _writer_class() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigError(
            f"tracking.tensorboard needs the package tensorboard (pip install tensorboard): {error}"
        ) from error
    return SummaryWriter
