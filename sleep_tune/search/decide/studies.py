"""The searches of one study: the space's own, and one for each baseline that is tuned. Each has a sampler that learns.

A fold over events, like the state beside it: Optuna is told here and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sleep_tune.experiment.search_state import MAIN, SearchState, TrialState
from sleep_tune.records import Event
from sleep_tune.search.decide.optuna_journal import Journal
from sleep_tune.search.decide.sampler import Sampler
from sleep_tune.search.space.search_space import Parameter, Space, Stop, num_settings

__all__ = ["Studies", "Study"]


@dataclass(frozen=True, slots=True)
class Study:
    """One search for settings."""

    name: str
    baseline: str | None
    """The baseline that it tunes; None for the search itself."""
    parameters: tuple[Parameter, ...]
    num_settings: int | None
    """How many different settings there are; None when there is no end to them."""
    stop: Stop
    sampler: Sampler

    @property
    def prefix(self) -> str:
        """What its trials' ids begin with."""
        return "" if self.baseline is None else f"{self.baseline}-"


class Studies:
    """All of them, the search itself first.

    Args:
        space: the study they belong to.
        state: what is known; `apply` here is called after its own.
        journal: where ended trials of the search itself are copied for optuna-dashboard.
    """

    def __init__(self, space: Space, state: SearchState) -> None:
        self._state = state
        self._journal: Journal | None = None
        self._ended: list[str] = []
        self._studies = {MAIN: _study(space, MAIN, None, space.parameters, space.stop)}
        for name, baseline in space.baselines.items():
            if baseline.trials is not None:
                parameters = space.subset(baseline.parameters)
                self._studies[name] = _study(space, name, name, parameters, Stop(trials=baseline.trials))

    def __iter__(self) -> Iterator[Study]:
        return iter(self._studies.values())

    def apply(self, event: Event) -> None:
        """Teach the sampler what an event says, if its trial fits the present space."""
        if event.trial is None:
            return
        trial = self._state.trials[event.trial]
        study = self._studies.get(trial.study)
        if study is None or trial.point is None:
            return
        if event.event in ("asked", "adopted"):
            study.sampler.add(trial.id, trial.point)
        if trial.ended and trial.kind != "bug":  # which says nothing yet: it will be tried again
            _tell(study.sampler, trial)
            if study.baseline is None:
                self._ended.append(trial.id)
                self._copy()

    def open_journal(self, path: Path, name: str, mode: str) -> None:
        """Write optuna.journal anew, and keep it up from now on."""
        self._journal = Journal(path, name=name, mode=mode)
        self._copy()

    def _copy(self) -> None:
        """Copy those that have ended since this was last done."""
        if self._journal is not None:
            for trial in self._ended:
                self._journal.add(self._studies[MAIN].sampler.copy(trial))
            self._ended.clear()


def _study(space: Space, name: str, baseline: str | None, parameters: tuple[Parameter, ...], stop: Stop) -> Study:
    sampler = Sampler(
        parameters,
        algorithm=space.search.algorithm,
        mode=space.objective.mode,
        seed=space.search.seed,
        startup=space.search.startup,
    )
    return Study(name, baseline, parameters, num_settings(parameters), stop, sampler)


def _tell(sampler: Sampler, trial: TrialState) -> None:
    match trial.state, trial.kind:
        case "completed", _:
            assert trial.value is not None
            sampler.tell_completed(trial.id, trial.value)
        case "stopped", _ if trial.repeats is None:
            sampler.tell_stopped(trial.id, trial.rungs)
        case ("refused", "repeat") | ("failed", "infrastructure") | ("stopped", _):
            sampler.tell_nothing(trial.id)
        case _:
            sampler.tell_impossible(trial.id)
