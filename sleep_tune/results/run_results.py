"""Results of one run as an object for a notebook, with its training log as tidy pandas frames."""

import functools
from pathlib import Path
from typing import Any

import pandas as pd

from sleep_tune.errors import RunFolderError
from sleep_tune.experiment.run_folder import AVERAGED_MODEL, MODEL, read_outcome
from sleep_tune.results.frames import log_frame, make_frame
from sleep_tune.results.report.training_logs import TrainingLog, read_training_log
from sleep_tune.results.run_facts import read_facts

__all__ = ["RunResults"]


class RunResults:
    """A run that has ended.

    Every frame has one observation a row; docs/api.md lists the columns with their units.

    Attributes:
        folder: of the run.
        config: every option by its dotted key.
        metrics: the last value of each metric: `eval/...` on dev, `test/...` on test, `babylm2026/...` (of 2025:
            `babylm/...`) BabyLM's scores.
        words_seen: running words trained on, replay included.
        updates: optimizer steps.
        seconds: of training and evaluation.
        flops: estimated floating-point operations of training.
        device: what it ran on.
    """

    def __init__(self, folder: Path) -> None:
        outcome = read_outcome(folder)
        if outcome is None:
            raise RunFolderError(f"{folder} must be the folder of a run that has ended; train it to its end first")
        self.folder = folder
        self.config: dict[str, Any] = dict(read_facts(folder).config)
        self.metrics: dict[str, float] = dict(outcome.metrics)
        self.words_seen = outcome.words_seen
        self.updates = outcome.updates
        self.seconds = outcome.seconds
        self.flops = outcome.flops
        self.device = outcome.device

    @property
    def model(self) -> Path | None:
        """Folder of the trained model, which transformers opens; None if it was not saved."""
        return self._weights(MODEL)

    @property
    def averaged_model(self) -> Path | None:
        """Folder of the model with averaged weights; None without `training.ema`."""
        return self._weights(AVERAGED_MODEL)

    @functools.cached_property
    def curves(self) -> pd.DataFrame:
        """A row per evaluation and metric: split, rung, words_seen, metric, value."""
        named = ["split", "rung", "words_seen"]
        table = self._log.evaluations.reindex(columns=[*named, *self._metric_names])
        return make_frame("evaluations", table.melt(named, var_name="metric").dropna(subset=["value"]))

    @functools.cached_property
    def losses(self) -> pd.DataFrame:
        """A row per line of training losses."""
        return self._frame("losses")

    @functools.cached_property
    def phases(self) -> pd.DataFrame:
        """A row per fold that was read, and per sleep, with its mean learning rate."""
        return self._frame("phases")

    @functools.cached_property
    def sleeps(self) -> pd.DataFrame:
        """A row per sleep: its buffer, and the mean age and score of the samples in it."""
        return self._frame("sleeps")

    @functools.cached_property
    def sources(self) -> pd.DataFrame:
        """A row per sleep and source of the corpus: its share of the replay buffer."""
        return self._frame("sources")

    @functools.cached_property
    def exposures(self) -> pd.DataFrame:
        """A row per number of times: how many samples had been seen so often by the end of the last sleep."""
        return self._frame("exposures")

    @functools.cached_property
    def examples(self) -> pd.DataFrame:
        """A row per replayed sample that was logged with its text."""
        return self._frame("examples")

    def __repr__(self) -> str:
        shown = ", ".join(f"{key} {self.metrics[key]:.4g}" for key in ("eval/nll", "test/nll") if key in self.metrics)
        return f"<RunResults of {self.folder}: {shown or 'no loss'}; {self.words_seen:,} words>"

    def _frame(self, name: str) -> pd.DataFrame:
        return log_frame(name, {"": [self._log]}).drop(columns=["arm", "seed"])

    def _weights(self, name: str) -> Path | None:
        return self.folder / name if (self.folder / name).is_dir() else None

    @property
    def _metric_names(self) -> list[str]:
        return [str(key) for key in self._log.evaluations if "/" in str(key)]

    @functools.cached_property
    def _log(self) -> TrainingLog:
        log = read_training_log(self.folder)
        if log is None:
            raise RunFolderError(f"{self.folder} must hold the training log of its run; it was removed")
        return log
