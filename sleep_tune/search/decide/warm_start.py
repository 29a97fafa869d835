"""Warm start: copies trials of earlier experiments into this one's log.

A trial is copied if it was completed or pruned there and this space could have proposed its configuration. It then
counts as any other: the sampler learns from it, it is compared at rungs of the same nominal words, and it can become a
finalist.
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
from sleep_tune.search.decide.current_space import Point, project
from sleep_tune.search.decide.experiment_identity import ExperimentIdentity, describe_changes, find_differences
from sleep_tune.search.decide.search_history import SearchHistory
from sleep_tune.search.space.search_space import CorpusSummary, Space
from sleep_tune.search.space.trial_configs import with_settings

__all__ = ["WarmStart"]

ENDS = ("completed", "stopped")
"""States in which a trial is copied."""


@dataclass(frozen=True, slots=True)
class _Earlier:
    """An experiment whose trials may be copied."""

    source: str
    name: str
    base: Tree
    trials: tuple[TrialState, ...]


class WarmStart:
    """Copies trials of the experiments that `warm_start` names, once for each experiment and space.

    Args:
        space: the current space.
        base: the configuration that `space.base` composes to.
        corpus: read by every trial.
        budget_words: words of a whole run.
    """

    def __init__(self, space: Space, base: RunConfig, corpus: CorpusSummary, budget_words: int) -> None:
        self._space = space
        self._base = base
        self._corpus = corpus
        self._budget_words = budget_words
        self._read: list[_Earlier] = []

    def read(self, sources: list[str], own: Path) -> None:
        """Read experiments whose trials `adopt` copies. Nothing is written.

        Args:
            sources: their folders.
            own: the folder of this experiment.

        Raises:
            ConfigError: one is another study than this (the message names what differs), or two have the same name.
            RunFolderError: a folder holds no experiment.
        """
        for number, source in enumerate(sources):
            earlier = self._earlier(source, f"warm_start.{number}", own)
            if earlier.name in (other.name for other in self._read):
                raise ConfigError(f"{self._at}: two experiments must not have the same name; got {earlier.name} twice")
            self._read.append(earlier)

    def adopt(self, history: SearchHistory) -> None:
        """Log the trials that fit this space and whose settings have not been trained here."""
        for earlier in self._read:
            adopted, elsewhere = 0, 0
            for trial, point in self._placed(earlier):
                name, known = f"{earlier.name}.{trial.id}", history.state.study(MAIN).known
                if point is None:
                    elsewhere += 1
                elif name not in history.state.trials and configuration_key(point) not in known:
                    history.record_adopted(name, seed=trial.seed, events=list(_parts(trial, point, earlier.source)))
                    adopted += 1
            history.record("warmed", source=earlier.source, adopted=adopted, elsewhere=elsewhere)
        self._read.clear()

    @property
    def _at(self) -> str:
        return self._space.where.get("warm_start", "warm_start")

    def _earlier(self, source: str, key: str, own: Path) -> _Earlier:
        folder = Path(source)
        at = self._space.where.get(key, self._at)
        if folder.resolve() == own:
            raise ConfigError(f"{at}: warm_start must name other experiments; {source} is this one")
        there = ExperimentIdentity(folder)
        events = read_events(folder / LOG)
        if not events:
            raise ConfigError(f"{at}: warm_start must name experiments with trials; {folder / LOG} is empty")
        differences = find_differences(there, self._space, self._base, self._corpus)
        budgets = {event.data["budget_words"] for event in events if event.event == "opened"} - {self._budget_words}
        if differences or budgets:
            what = (
                describe_changes(differences) or f"its budget is {budgets.pop():,} words, here {self._budget_words:,}"
            )
            raise ConfigError(f"{at}: warm_start must name experiments of the same study; in {source}, {what}")
        state = fold_events(events, self._space.objective.mode)
        trials = (trial for trial in state.trials.values() if trial.study == MAIN and trial.state in ENDS)
        return _Earlier(
            source, there.space["name"], there.tree, tuple(trial for trial in trials if trial.repeats is None)
        )

    def _placed(self, earlier: _Earlier) -> Iterator[tuple[TrialState, Point | None]]:
        """Yield each trial, and its point in this space; None if it does not fit."""
        base = to_dict(self._base)
        for trial in earlier.trials:
            config = flatten(with_settings(earlier.base, trial.parameters))
            yield trial, project(self._space.parameters, base, config)


def _parts(trial: TrialState, point: Point, source: str) -> Iterator[dict[str, Any]]:
    """Yield the events of a copied trial."""
    asked = {"study": MAIN, "number": None, "parameters": point, "group": "", "source": source}
    yield {"event": "asked", "data": asked}
    for rung, progress in trial.reports.items():
        report = {"rung": rung, "value": trial.rungs[rung], "progress": progress.to_json()}
        yield {"event": "report", "data": report}
    outcome = None if trial.outcome is None else trial.outcome.to_json()
    end = {"value": trial.value, "outcome": outcome, "reason": trial.reason, "seconds": trial.seconds}
    yield {"event": trial.state, "data": end}
