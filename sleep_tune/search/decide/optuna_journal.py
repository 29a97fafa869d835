"""optuna.journal, a copy of the ended trials for optuna-dashboard. Written by the search, never read by it."""

from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

__all__ = ["Journal"]


class Journal:
    """One file with one Optuna study, written anew by every session.

    Args:
        path: the file; what it held is dropped.
        name: of the study.
        mode: 'min' or 'max'.
    """

    def __init__(self, path: Path, *, name: str, mode: str) -> None:
        path.unlink(missing_ok=True)
        storage = JournalStorage(JournalFileBackend(str(path)))
        direction = StudyDirection.MINIMIZE if mode == "min" else StudyDirection.MAXIMIZE
        self._study = optuna.create_study(storage=storage, study_name=name, direction=direction)

    def add(self, trial: FrozenTrial) -> None:
        """Append an ended trial."""
        self._study.add_trial(trial)
