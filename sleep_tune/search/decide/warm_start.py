"""Warm start: what earlier experiments found out, taken into this one's log. Trains nothing and asks for nothing.

A trial of another experiment that ended there, by itself or at a rung, and whose configuration this space could have
proposed, is worth what one of our own is: the sampler is told, it is compared at rungs of equal nominal words, and it
may become a finalist.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sleep_tune.config.schema import RunConfig
from sleep_tune.config.tree import Tree, flatten, to_dict
from sleep_tune.errors import ConfigError
from sleep_tune.experiment.event_log import LOG, read_events
from sleep_tune.experiment.search_state import MAIN, fold_events
from sleep_tune.experiment.trial_state import TrialState, configuration_key
from sleep_tune.search.decide import study_folder
from sleep_tune.search.decide.search_memory import Memory
from sleep_tune.search.decide.space_fit import Point, project
from sleep_tune.search.decide.study_folder import Experiment
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.trial_configs import with_settings

__all__ = ["Adopter"]

ENDS = ("completed", "stopped")
"""What a trial must have come to, to be worth anything elsewhere."""


@dataclass(frozen=True, slots=True)
class _Earlier:
    """An experiment whose trials may be taken."""

    source: str
    name: str
    base: Tree
    trials: tuple[TrialState, ...]


class Adopter:
    """Takes the trials of the experiments that `warm_start` names, each experiment once for every space.

    Args:
        space: the study as it is now.
        base: what `space.base` composes to.
        corpus: what every trial reads.
        budget_words: B.
    """

    def __init__(self, space: Space, base: RunConfig, corpus: CorpusSummary, budget_words: int) -> None:
        self._space = space
        self._base = base
        self._corpus = corpus
        self._budget_words = budget_words
        self._read: list[_Earlier] = []

    def read(self, sources: list[str], own: Path) -> None:
        """Read experiments to be adopted later. Nothing is written.

        Args:
            sources: their folders.
            own: the folder of this one.

        Raises:
            ConfigError: one is another study than this; the message says what differs. Two have the same name.
            RunFolderError: a folder is no experiment's.
        """
        for number, source in enumerate(sources):
            earlier = self._earlier(source, f"warm_start.{number}", own)
            if earlier.name in (other.name for other in self._read):
                raise ConfigError(f"{self._at}: two experiments must not have the same name; got {earlier.name} twice")
            self._read.append(earlier)

    def adopt(self, memory: Memory) -> None:
        """Record what was read: trials that fit this space, whose settings nobody has trained here."""
        for earlier in self._read:
            taken, elsewhere = 0, 0
            for trial, point in self._placed(earlier):
                name = f"{earlier.name}.{trial.id}"
                if point is None:
                    elsewhere += 1
                elif name not in memory.state.trials and configuration_key(point) not in memory.state.study(MAIN).known:
                    memory.record_adopted(name, seed=trial.seed, events=list(_parts(trial, point, earlier.source)))
                    taken += 1
            memory.record("warmed", source=earlier.source, adopted=taken, elsewhere=elsewhere)
        self._read.clear()

    @property
    def _at(self) -> str:
        return self._space.where.get("warm_start", "warm_start")

    def _earlier(self, source: str, key: str, own: Path) -> _Earlier:
        folder = Path(source)
        at = self._space.where.get(key, self._at)
        if folder.resolve() == own:
            raise ConfigError(f"{at}: warm_start must name other experiments; {source} is this one")
        there = Experiment(folder)
        events = read_events(folder / LOG)
        if not events:
            raise ConfigError(f"{at}: warm_start must name experiments with trials; {folder / LOG} is empty")
        differences = study_folder.unlike(there, self._space, self._base, self._corpus)
        budgets = {event.data["budget_words"] for event in events if event.event == "opened"} - {self._budget_words}
        if differences or budgets:
            what = (
                study_folder.told(differences) or f"its budget is {budgets.pop():,} words, here {self._budget_words:,}"
            )
            raise ConfigError(f"{at}: warm_start must name experiments of the same study; in {source}, {what}")
        state = fold_events(events, self._space.objective.mode)
        trials = (trial for trial in state.trials.values() if trial.study == MAIN and trial.state in ENDS)
        return _Earlier(
            source, there.space["name"], there.tree, tuple(trial for trial in trials if trial.repeats is None)
        )

    def _placed(self, earlier: _Earlier) -> Iterator[tuple[TrialState, Point | None]]:
        """Each trial, and its settings in this space if it fits."""
        base = to_dict(self._base)
        for trial in earlier.trials:
            config = flatten(with_settings(earlier.base, trial.parameters))
            yield trial, project(self._space.parameters, base, config)


def _parts(trial: TrialState, point: Point, source: str) -> Iterator[dict[str, Any]]:
    """The events that a trial taken over consists of."""
    asked = {"study": MAIN, "number": None, "parameters": point, "group": "", "source": source}
    yield {"event": "asked", "data": asked}
    for rung, progress in trial.reports.items():
        report = {"rung": rung, "value": trial.rungs[rung], "progress": progress.to_json()}
        yield {"event": "report", "data": report}
    outcome = None if trial.outcome is None else trial.outcome.to_json()
    end = {"value": trial.value, "outcome": outcome, "reason": trial.reason, "seconds": trial.seconds}
    yield {"event": trial.state, "data": end}
