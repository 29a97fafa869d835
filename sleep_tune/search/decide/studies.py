"""Studies of a search: the space's own and one for each tuned baseline, each with a sampler that learns from trials.

A fold over events, as the search state is. Ended trials are also copied to optuna.journal, for optuna-dashboard; the
search never reads that file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from sleep_tune.experiment.search_state import MAIN, SearchState, TrialState
from sleep_tune.records import Event
from sleep_tune.search.decide.grid import Grid
from sleep_tune.search.decide.sampler import Sampler, direction_of
from sleep_tune.search.space.search_space import Parameter, Space, Stop
from sleep_tune.search.space.settings import num_settings

__all__ = ["SettingsSearch", "Studies"]


@dataclass(frozen=True, slots=True)
class SettingsSearch:
    """One study: a search for settings with its own sampler and limits."""

    name: str
    baseline: str | None
    """The baseline that it tunes; None for the space's own study."""
    parameters: tuple[Parameter, ...]
    num_settings: int | None
    """Number of different settings; None if infinite."""
    stop: Stop
    sampler: Sampler
    grid: Grid | None
    """Proposes the trials instead of the sampler; None if the algorithm is no grid."""

    @property
    def prefix(self) -> str:
        """Beginning of its trials' ids."""
        return "" if self.baseline is None else f"{self.baseline}-"


class Studies:
    """All studies, the space's own first.

    Args:
        space: the current space.
        state: the search's state; must be updated with an event before `apply` is called with it.
    """

    def __init__(self, space: Space, state: SearchState) -> None:
        self._state = state
        self._dashboard: optuna.Study | None = None
        self._ended: list[str] = []
        """Ended trials of the space's own study that are not in optuna.journal yet."""
        self._studies = {MAIN: _make_study(space, MAIN, None, space.parameters, space.stop)}
        for name, baseline in space.baselines.items():
            if baseline.trials is not None:
                parameters = space.subset(baseline.parameters)
                self._studies[name] = _make_study(space, name, name, parameters, Stop(trials=baseline.trials))

    def __iter__(self) -> Iterator[SettingsSearch]:
        return iter(self._studies.values())

    def apply(self, event: Event) -> None:
        """Update the sampler of the event's trial, if that trial fits the current space."""
        if event.trial is None:
            return
        trial = self._state.trials[event.trial]
        study = self._studies.get(trial.study)
        if study is None or trial.point is None:
            return
        if event.event in ("asked", "adopted"):
            study.sampler.add(trial.id, trial.point, trial.group)
        if trial.state == "paused":  # it counts as stopped there, until it has been trained further
            study.sampler.tell_stopped(trial.id, trial.rungs)
        if trial.ended and trial.kind != "bug":  # a bug says nothing about the settings: the trial is retried
            _update_sampler(study.sampler, trial)
            if study.baseline is None:
                self._ended.append(trial.id)
                self._copy_ended()

    def open_journal(self, path: Path, name: str, mode: str) -> None:
        """Write optuna.journal anew, and keep it up to date from now on.

        Args:
            path: the file; its old content is removed.
            name: of the Optuna study in it.
            mode: 'min' or 'max'.
        """
        path.unlink(missing_ok=True)
        storage = JournalStorage(JournalFileBackend(str(path)))
        self._dashboard = optuna.create_study(storage=storage, study_name=name, direction=direction_of(mode))
        self._copy_ended()

    def _copy_ended(self) -> None:
        if self._dashboard is not None:
            for trial in self._ended:
                self._dashboard.add_trial(self._studies[MAIN].sampler.copy(trial))
            self._ended.clear()


def _make_study(
    space: Space, name: str, baseline: str | None, parameters: tuple[Parameter, ...], stop: Stop
) -> SettingsSearch:
    sampler = Sampler(
        parameters,
        algorithm=space.search.algorithm,
        mode=space.objective.mode,
        seed=space.search.seed,
        startup=space.search.startup,
    )
    grid = Grid(parameters) if space.search.algorithm == "grid" else None
    return SettingsSearch(name, baseline, parameters, num_settings(parameters), stop, sampler, grid)


def _update_sampler(sampler: Sampler, trial: TrialState) -> None:
    match trial.state, trial.kind:
        case "completed", _:
            assert trial.value is not None
            sampler.tell_completed(trial.id, trial.value, trial.rungs)
        case "stopped", _ if trial.repeats is None:
            sampler.tell_stopped(trial.id, trial.rungs)
        case ("refused", "repeat") | ("failed", "infrastructure") | ("stopped", _):
            sampler.tell_nothing(trial.id)
        case _:
            sampler.tell_impossible(trial.id)
